// SPDX-License-Identifier: LGPL-2.1-or-later
// The main of native-freeze: its own mount namespace, and the leak check after every test.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "freeze_fixture.h"
#include "native_main.h"

namespace quiesced {

std::string freezer_program() {
    const char* chosen = std::getenv("QUIESCED_FREEZER");
    return chosen != nullptr ? chosen : QUIESCED_FREEZER_BUILT;
}

const std::string& work_folder() {
    static const std::string folder = [] {
        std::string pattern = testing::TempDir() + "quiesced-native-XXXXXX";
        return std::string(::mkdtemp(pattern.data()) != nullptr ? pattern : "");
    }();
    return folder;
}

NativeFreeze::NativeFreeze() {
    static int number = 0;
    folder_ = work_folder() + "/" + std::to_string(++number);
    std::filesystem::create_directory(folder_);
    plan_.set = "67f0a1b200c0ffee";
}

NativeFreeze::~NativeFreeze() {
    client_.reset();
    plan_.members.clear();
    while (!volumes_.empty()) volumes_.pop_back(); // those on top of others first
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

LoopVolume& NativeFreeze::add_volume(const std::string& name, const std::string& type, const std::string& folder) {
    auto volume = LoopVolume::create(folder, name, type);
    EXPECT_THAT(volume, Succeeds());
    if (!volume) std::abort(); // nothing below can go on
    volumes_.push_back(std::move(*volume));
    return *volumes_.back();
}

void NativeFreeze::plan(const LoopVolume& volume, int level) {
    auto member = volume.member(level);
    ASSERT_THAT(member, Succeeds());
    plan_.members.push_back(std::move(*member));
}

void NativeFreeze::start() {
    auto client = FreezerClient::start(std::move(plan_), std::make_unique<ProcessLauncher>(freezer_program()), WindowKernel::linux(),
                                       {.record_directory = folder_}, [this](const WindowLoss& loss) {
                                           const std::lock_guard lock(mutex_);
                                           losses_.push_back(loss);
                                       });
    ASSERT_THAT(client, Succeeds());
    client_ = std::move(*client);
}

bool NativeFreeze::wait_until(const std::function<bool()>& condition, milliseconds limit) {
    const auto until = Monotonic::now() + limit;
    while (!condition()) {
        if (Monotonic::now() > until) return false;
        ::usleep(1000);
    }
    return true;
}

std::vector<WindowLoss> NativeFreeze::losses() {
    const std::lock_guard lock(mutex_);
    return losses_;
}

} // namespace quiesced

int main(int argc, char** argv) {
    quiesced::LeakCheck check;
    check.freezer = quiesced::freezer_program();
    check.loop_backing = quiesced::work_folder();
    return quiesced::run_native_tests(argc, argv, std::move(check), quiesced::work_folder());
}
