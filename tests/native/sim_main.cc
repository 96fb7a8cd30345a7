// SPDX-License-Identifier: LGPL-2.1-or-later
// The main of native-sim: no device and no mount of this machine is used.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "bus_fixture.h"

namespace quiesced {

const std::string& work_folder() {
    static const std::string folder = [] {
        std::string pattern = testing::TempDir() + "quiesced-sim-XXXXXX";
        if (::mkdtemp(pattern.data()) == nullptr) pattern.clear();
        ::chmod(pattern.c_str(), 0755); // another user's client passes through
        return pattern;
    }();
    return folder;
}

} // namespace quiesced

int main(int argc, char** argv) {
    testing::InitGoogleMock(&argc, argv);
    const int result = RUN_ALL_TESTS();
    std::error_code ignored;
    std::filesystem::remove_all(quiesced::work_folder(), ignored);
    return result;
}
