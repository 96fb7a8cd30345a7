// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Every fuzz target over its seeds, so that the targets do not rot between two runs of the fuzzer, and what it once
// found stays mended.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "fuzz/target.h"

namespace quiesced {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> seeds_of(std::string_view target) {
    std::vector<fs::path> seeds;
    const auto folder = fs::path(QUIESCED_FUZZ_CORPUS) / target;
    if (!fs::is_directory(folder)) return seeds;
    for (const auto& entry : fs::directory_iterator(folder)) seeds.push_back(entry.path());
    return seeds;
}

std::string content_of(const fs::path& path) { return read_file(path.string()).value(); }

class FuzzCorpus : public testing::TestWithParam<fuzz::Target> {};

TEST_P(FuzzCorpus, IsTakenWithoutAFinding) {
    const auto& target = GetParam();
    const auto seeds = seeds_of(target.name);
    ASSERT_FALSE(seeds.empty()) << "there is no seed for " << target.name;
    target.run({});
    for (const auto& path : seeds) {
        SCOPED_TRACE(path.string());
        const auto seed = content_of(path);
        // A finding aborts: say which seed it was.
        std::fprintf(stderr, "seed %s\n", path.c_str());
        target.run(seed);
        // Cut short and with its bytes the other way round: what a truncated file looks like, and plain garbage.
        target.run(std::string_view(seed).substr(0, seed.size() / 2));
        target.run(std::string(seed.rbegin(), seed.rend()));
    }
}

INSTANTIATE_TEST_SUITE_P(Of, FuzzCorpus, testing::ValuesIn(fuzz::targets().begin(), fuzz::targets().end()),
                         [](const auto& target) { return std::string(target.param.name); });

TEST(FuzzCorpora, EveryFolderOfSeedsHasATarget) {
    std::set<std::string> names;
    for (const auto& target : fuzz::targets()) names.emplace(target.name);
    for (const auto& entry : fs::directory_iterator(QUIESCED_FUZZ_CORPUS))
        EXPECT_TRUE(names.contains(entry.path().filename().string())) << entry.path();
}

} // namespace
} // namespace quiesced
