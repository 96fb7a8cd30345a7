// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <memory>

#include "base/scope_exit.h"

namespace quiesced {
namespace {

/// The full path for a message: an admin cannot do much with a name relative to one of our descriptors.
std::string full_path(int directory, const std::string& path) {
    if (directory == AT_FDCWD || path.starts_with('/')) return path;
    std::array<char, PATH_MAX> target{};
    const auto link = "/proc/self/fd/" + std::to_string(directory);
    const auto length = ::readlink(link.c_str(), target.data(), target.size());
    if (length <= 0) return path;
    return std::string(target.data(), static_cast<std::size_t>(length)) + "/" + path;
}

tl::unexpected<Error> fail_path(const char* what, int directory, const std::string& path) {
    const int error_number = errno; // full_path() may change it
    return fail_errno(std::string(what) + " " + full_path(directory, path), error_number);
}

bool write_all(int fd, std::string_view content) {
    while (!content.empty()) {
        const auto written = ::write(fd, content.data(), content.size());
        if (written >= 0)
            content.remove_prefix(static_cast<std::size_t>(written));
        else if (errno != EINTR)
            return false;
    }
    return true;
}

struct DirectoryCloser {
    void operator()(DIR* stream) const { ::closedir(stream); }
};

} // namespace

Result<UniqueFd> open_at(int directory, const std::string& path, int flags, mode_t mode) {
    int fd = -1;
    do { fd = ::openat(directory, path.c_str(), flags | O_CLOEXEC, mode); } while (fd < 0 && errno == EINTR);
    if (fd < 0) return fail_path("cannot open", directory, path);
    return UniqueFd(fd);
}

Result<std::string> read_file_at(int directory, const std::string& path, std::size_t limit) {
    auto file = open_at(directory, path, O_RDONLY);
    if (!file) return pass(file);
    std::string content;
    std::array<char, 16384> block; // NOLINT(cppcoreguidelines-pro-type-member-init): read() fills it
    while (true) {
        // st_size says nothing in /proc and /sys: only reading to the end does.
        const auto got = ::read(file->get(), block.data(), block.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_path("cannot read", directory, path);
        if (got == 0) return content;
        if (static_cast<std::size_t>(got) > limit - content.size())
            return fail(ErrorKind::limit,
                        full_path(directory, path) + " is larger than " + std::to_string(limit) + " bytes");
        content.append(block.data(), static_cast<std::size_t>(got));
    }
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
    return read_file_at(AT_FDCWD, path, limit);
}

Result<std::string> read_attribute_at(int directory, const std::string& path) {
    auto content = read_file_at(directory, path);
    if (content) content->erase(content->find_last_not_of(" \t\r\n") + 1);
    return content;
}

Result<void> write_file(const std::string& path, std::string_view content) {
    auto file = open_at(AT_FDCWD, path, O_WRONLY | O_TRUNC);
    if (!file) return pass(file);
    if (!write_all(file->get(), content)) return fail_path("cannot write to", AT_FDCWD, path);
    return {};
}

Result<void> replace_file_at(int directory, const std::string& name, std::string_view content, mode_t mode) {
    const auto slash = name.rfind('/');
    const auto folder = slash == std::string::npos ? std::string() : name.substr(0, slash + 1);
    const auto base = slash == std::string::npos ? name : name.substr(slash + 1);
    if (base.empty() || base == "." || base == "..")
        return fail(ErrorKind::invalid_argument, "'" + name + "' is no file name");

    // The folder's descriptor first: after the rename nothing but its fsync may fail.
    const auto parent = open_at(directory, folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
    if (!parent) return tl::unexpected<Error>(parent.error());

    std::uint32_t chance = 0;
    if (::getrandom(&chance, sizeof chance, 0) != static_cast<ssize_t>(sizeof chance))
        return fail_path("cannot get random bytes for a temporary name beside", directory, name);
    std::array<char, 10> suffix{};
    std::snprintf(suffix.data(), suffix.size(), ".%08x", chance);
    const auto temporary = "." + base + suffix.data();

    // 0200 until it is complete: nobody else reads half a file or one with the wrong mode.
    auto file = open_at(parent->get(), temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0200);
    if (!file) return pass(file);
    ScopeExit remove([&] { ::unlinkat(parent->get(), temporary.c_str(), 0); });
    if (!write_all(file->get(), content)) return fail_path("cannot write", directory, name);
    if (::fchmod(file->get(), mode) != 0) return fail_path("cannot set the mode of", directory, name);
    if (::fsync(file->get()) != 0) return fail_path("cannot write to the disk", directory, name);
    if (::renameat(parent->get(), temporary.c_str(), parent->get(), base.c_str()) != 0)
        return fail_path("cannot replace", directory, name);
    remove.dismiss();
    if (::fsync(parent->get()) != 0) return fail_path("cannot write to the disk the folder of", directory, name);
    return {};
}

Result<void> make_directories(const std::string& path, mode_t mode) {
    for (std::size_t end = 0; end != std::string::npos;) {
        end = path.find('/', end + 1);
        const auto part = path.substr(0, end);
        if (::mkdir(part.c_str(), mode) == 0) continue;
        if (errno != EEXIST) return fail_path("cannot create the folder", AT_FDCWD, part);
        // Something is there already: fine, if it is (or leads to) a folder.
        struct stat status {};
        if (::stat(part.c_str(), &status) != 0) return fail_path("cannot create the folder", AT_FDCWD, part);
        if (!S_ISDIR(status.st_mode)) {
            errno = ENOTDIR;
            return fail_path("cannot create the folder", AT_FDCWD, part);
        }
    }
    return {};
}

Result<std::vector<std::string>> list_directory_at(int directory, const std::string& path) {
    auto folder = open_at(directory, path, O_RDONLY | O_DIRECTORY);
    if (!folder) return pass(folder);
    const std::unique_ptr<DIR, DirectoryCloser> stream(::fdopendir(folder->get()));
    if (!stream) return fail_path("cannot list", directory, path);
    (void)folder->release(); // the stream owns it now

    std::vector<std::string> names;
    while (true) {
        errno = 0;
        const dirent* entry = ::readdir(stream.get()); // NOLINT(concurrency-mt-unsafe): no other thread has the stream
        if (entry == nullptr) break;
        std::string name = static_cast<const char*>(entry->d_name);
        if (name != "." && name != "..") names.push_back(std::move(name));
    }
    if (errno != 0) return fail_path("cannot list", directory, path);
    std::sort(names.begin(), names.end());
    return names;
}

} // namespace quiesced
