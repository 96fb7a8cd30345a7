// SPDX-License-Identifier: LGPL-2.1-or-later
#include "writers/hook_directory.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/file.h"

namespace quiesced {
namespace {

// qemu-ga's list, dpkg's and rpm's leftovers, and what editors leave.
constexpr auto kIgnored =
    std::to_array<const char*>({".*", "*~", "#*#", "*.bak", "*.orig", "*.rej", "*.swp", "*.sample", "*.rpmnew",
                                "*.rpmorig", "*.rpmsave", "*.dpkg-*", "*.ucf-*", "README*"});

constexpr const char* kAdvice = "Make it root's own (chown root, chmod go-w), or move it away.";

/// Why others could change it, empty when they cannot.
std::string weakness(const struct stat& status, bool sticky_is_enough) {
    if (status.st_uid != 0 && status.st_uid != ::geteuid()) return "belongs to user " + std::to_string(status.st_uid);
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
    // In a sticky folder others may create files, but neither replace nor remove root's.
    if (sticky_is_enough && S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0) return {};
    return (status.st_mode & S_IWOTH) != 0 ? "is writable by others" : "is writable by its group";
}

Result<void> check_part(const std::string& path, const std::string& part) {
    struct stat status {};
    if (::lstat(part.c_str(), &status) != 0) return fail_errno("cannot examine " + part, errno, ErrorKind::io);
    const auto reason = weakness(status, part != path);
    if (reason.empty()) return {};
    return fail(ErrorKind::access_denied, part + " " + reason, kAdvice);
}

/// What an entry is, by the file that it leads to. None: it was removed since the directory was read.
std::optional<HookEntry> examine(const std::string& name, const std::string& path) {
    HookEntry entry{.hook = {.name = name, .path = path}, .ignored = {}, .error = {}};
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        const int error_number = errno;
        // A link that leads nowhere still is there.
        if (error_number == ENOENT && ::lstat(path.c_str(), &status) != 0 && errno == ENOENT) return std::nullopt;
        entry.error = fail_errno(path + " leads nowhere", error_number, ErrorKind::io).value();
    } else if (!S_ISREG(status.st_mode)) {
        entry.ignored = path + " is not a regular file: ignored";
    } else if ((status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0) {
        // The bits and not access(): a file on a `noexec` mount was meant to run, and should fail when it cannot.
        entry.ignored = path + " is not executable: ignored";
    } else if (auto trusted = trusted_path(path); !trusted) {
        entry.error = std::move(trusted).error();
    }
    return entry;
}

} // namespace

bool is_ignored_hook(const std::string& name) {
    return std::any_of(kIgnored.begin(), kIgnored.end(),
                       [&](const char* pattern) { return ::fnmatch(pattern, name.c_str(), 0) == 0; });
}

Result<std::string> trusted_path(const std::string& path) {
    std::error_code error;
    const auto real = std::filesystem::canonical(path, error).string();
    if (error) return fail_errno("cannot find " + path, error.value(), ErrorKind::io);
    // From the root down: once a folder is known to be safe, nobody can exchange what it holds.
    if (auto checked = check_part(real, "/"); !checked) return pass(checked);
    for (std::size_t end = 0; end != std::string::npos && end + 1 < real.size();) {
        end = real.find('/', end + 1);
        if (auto checked = check_part(real, real.substr(0, end)); !checked) return pass(checked);
    }
    return real;
}

Result<std::vector<HookEntry>> survey_hook_directory(const std::string& directory) {
    if (!directory.starts_with('/'))
        return fail(ErrorKind::invalid_argument, "the hooks directory '" + directory + "' is not an absolute path");
    std::vector<HookEntry> found;
    const auto names = list_directory_at(AT_FDCWD, directory);
    // A link to a place that is not there (not mounted?) is no missing directory.
    if (struct stat status{};
        !names && names.error().error_number == ENOENT && ::lstat(directory.c_str(), &status) != 0)
        return found;
    if (!names)
        return fail_errno("cannot read the hooks directory " + directory, names.error().error_number, ErrorKind::io);
    if (auto trusted = trusted_path(directory); !trusted) {
        auto error = std::move(trusted).error();
        error.context = "no writer script of " + directory + " is run: " + error.context;
        return tl::unexpected<Error>(std::move(error));
    }
    for (const auto& name : *names)
        if (!is_ignored_hook(name))
            if (auto entry = examine(name, directory + (directory.ends_with('/') ? "" : "/") + name)) found.push_back(std::move(*entry));
    return found;
}

Result<HookDirectory> read_hook_directory(const std::string& directory) {
    auto entries = survey_hook_directory(directory);
    if (!entries) return pass(entries);
    HookDirectory found;
    std::string refused;
    ErrorKind kind = ErrorKind::io;
    for (auto& entry : *entries) {
        if (entry.error) {
            entry.error->advice.clear(); // once, at the end
            refused += (refused.empty() ? "" : "; ") + entry.error->message();
            if (entry.error->kind == ErrorKind::access_denied) kind = ErrorKind::access_denied;
        } else if (!entry.ignored.empty()) {
            found.notes.push_back(std::move(entry.ignored));
        } else {
            found.hooks.push_back(std::move(entry.hook));
        }
    }
    if (!refused.empty())
        return fail(kind, "no writer script is run, since not all may be: " + refused,
                    "Make each file root's own (chown root, chmod go-w), or move it away.");
    return found;
}

} // namespace quiesced
