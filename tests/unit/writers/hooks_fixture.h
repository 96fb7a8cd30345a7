// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/file.h"

namespace quiesced {

/// A hooks directory in a temporary folder, and a log that its scripts write to.
class HooksFixture : public ::testing::Test {
protected:
    HooksFixture() {
        auto pattern = (std::filesystem::temp_directory_path() / "quiesced-writers-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) std::abort();
        root_ = std::filesystem::canonical(pattern).string();
        hooks_ = root_ + "/hooks.d";
        std::filesystem::create_directory(hooks_);
        ::chmod(hooks_.c_str(), 0755);
    }
    ~HooksFixture() override { std::filesystem::remove_all(root_); }

    /// A script of the hooks directory, or of any folder when `name` is an absolute path. It runs in `sh`, with $here
    /// as the temporary folder.
    std::string script(const std::string& name, const std::string& body, mode_t mode = 0755) const {
        auto path = name.starts_with('/') ? name : hooks_ + "/" + name;
        std::ofstream(path) << "#!/bin/sh\nhere='" << root_ << "'\n" << body << "\n";
        ::chmod(path.c_str(), mode);
        return path;
    }
    /// One that logs "NAME freeze" and "NAME thaw".
    std::string logging(const std::string& name, const std::string& then = "") const {
        return script(name, "echo \"" + name + " $1\" >> $here/log\n" + then);
    }

    [[nodiscard]] std::string content(const std::string& name) const {
        return read_file(root_ + "/" + name).value_or("");
    }
    [[nodiscard]] std::string log() const { return content("log"); }

    std::string root_;
    std::string hooks_;
};

} // namespace quiesced
