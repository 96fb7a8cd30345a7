// SPDX-License-Identifier: LGPL-2.1-or-later
// The main of native-daemon: its own mount namespace, and the leak check after every test.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "bus_fixture.h"
#include "native_main.h"

namespace quiesced {

const std::string& work_folder() {
    static const std::string folder = [] {
        std::string pattern = testing::TempDir() + "quiesced-daemon-XXXXXX";
        if (::mkdtemp(pattern.data()) == nullptr) pattern.clear();
        ::chmod(pattern.c_str(), 0755); // another user's client passes through
        return pattern;
    }();
    return folder;
}

} // namespace quiesced

int main(int argc, char** argv) {
    quiesced::LeakCheck check;
    check.freezer = QUIESCED_FREEZER_BUILT;
    check.loop_backing = quiesced::work_folder();
    check.records = quiesced::work_folder() + "/daemon/run";
    return quiesced::run_native_tests(argc, argv, std::move(check), quiesced::work_folder());
}
