// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fuzz/fake_machine.h"

#include <fcntl.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include "base/file.h"

namespace quiesced::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHead = "== ";
constexpr std::string_view kArrow = " -> ";
constexpr int kMostFiles = 500;

/// Below the folder, whatever it is appended to: relative, without "..".
bool is_plain(const fs::path& path) {
    return !path.empty() && path.is_relative() && path.native().size() < 1000 &&
           path.native().find('\0') == std::string::npos &&
           std::none_of(path.begin(), path.end(), [](const fs::path& part) { return part == ".." || part.native().size() > 250; });
}

} // namespace

FakeMachine::FakeMachine(std::string_view text) {
    std::error_code error;
    const char* memory = "/dev/shm";
    auto pattern = (fs::exists(memory, error) ? fs::path(memory) : fs::temp_directory_path()) / "quiesced-fuzz-XXXXXX";
    auto name = pattern.string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    root_ = name;
    for (const auto* folder : {"sys/dev/block", "dev", "udev", "proc", "loop"}) fs::create_directories(root_ / folder);
    std::ofstream(root_ / "mountinfo").flush();

    int files = 0;
    while (text.starts_with(kHead) && files++ < kMostFiles) {
        text.remove_prefix(kHead.size());
        const auto end = std::min(text.find('\n'), text.size());
        const auto head = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto next = text.starts_with(kHead) ? 0 : std::min(text.find("\n== "), text.size() - 1) + 1;
        add(head, text.substr(0, next));
        text.remove_prefix(std::min(next, text.size()));
    }
}

FakeMachine::~FakeMachine() {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
}

bool FakeMachine::make_folders(const fs::path& below) const {
    std::error_code error;
    fs::path folder = root_;
    for (const auto& part : below) {
        folder /= part;
        const auto status = fs::symlink_status(folder, error);
        // Through a link, ".." of a link's target would count from elsewhere.
        if (status.type() != fs::file_type::directory &&
            (status.type() != fs::file_type::not_found || !fs::create_directory(folder, error)))
            return false;
    }
    return true;
}

void FakeMachine::add(std::string_view head, std::string_view content) const {
    std::error_code error;
    const auto arrow = head.find(kArrow);
    const fs::path place = fs::path(head.substr(0, arrow)).lexically_normal();
    if (!is_plain(place) || !place.has_filename() || !make_folders(place.parent_path())) return;
    if (arrow == std::string_view::npos) {
        if (fs::symlink_status(root_ / place, error).type() == fs::file_type::symlink) return;
        std::ofstream file(root_ / place, std::ios::binary | std::ios::trunc);
        file.write(content.data(), static_cast<std::streamsize>(content.size()));
        return;
    }
    // A target may climb as far as the folder's top, and only at its start.
    const fs::path target = head.substr(arrow + kArrow.size());
    auto part = target.begin();
    auto depth = std::distance(place.begin(), place.end()) - 1;
    for (; part != target.end() && *part == ".."; ++part) --depth;
    fs::path rest;
    for (; part != target.end(); ++part) rest /= *part;
    if (depth < 0 || target.is_absolute() || !is_plain(rest)) return;
    fs::create_symlink(target, root_ / place, error);
}

SystemPaths FakeMachine::paths() const {
    SystemPaths paths;
    paths.mountinfo = path("mountinfo");
    paths.sysfs = path("sys");
    paths.dev = path("dev");
    paths.udev_data = path("udev");
    paths.proc = path("proc");
    return paths;
}

LoopProbe FakeMachine::probe() const {
    return [this](const std::string& name, const std::string&) -> Result<LoopStatus> {
        const auto text = read_attribute_at(AT_FDCWD, path("loop/" + name));
        if (!text) return fail(ErrorKind::kernel, "not permitted");
        const auto space = std::min(text->find(' '), text->size());
        const auto file_system = DeviceNumber::parse(text->substr(0, space));
        if (!file_system) return fail(ErrorKind::kernel, "not permitted");
        LoopStatus status{.file_system = *file_system, .device = std::nullopt};
        if (const auto device = DeviceNumber::parse(text->substr(std::min(space + 1, text->size())))) status.device = *device;
        return status;
    };
}

} // namespace quiesced::fuzz
