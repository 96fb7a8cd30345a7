// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <optional>
#include <utility>

#include "base/file.h"
#include "settings/settings.h"

namespace quiesced {
namespace {

constexpr const char* kName = "quiesced.conf";
constexpr std::size_t kLargest = 1U << 20U;

bool is_missing(const Error& error) { return error.error_number == ENOENT || error.error_number == ENOTDIR; }

/// Its text; what is wrong with the file, else.
Result<std::string> read_checked(const std::string& path) {
    const auto file = open_at(AT_FDCWD, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
    if (!file) return tl::unexpected<Error>(file.error());
    struct stat status {};
    if (::fstat(file->get(), &status) != 0) return fail_errno("cannot look at " + path);
    if (S_ISCHR(status.st_mode)) return std::string(); // a link to /dev/null
    if (!S_ISREG(status.st_mode)) return fail(ErrorKind::io, "it is no file");
    // Whoever may write to it is root as far as quiesced can tell: it names programs that root runs.
    if (status.st_uid != 0 && status.st_uid != ::geteuid()) return fail(ErrorKind::access_denied, "it does not belong to root", "Run: chown root:root " + path);
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return fail(ErrorKind::access_denied, "it can be written by others than root", "Run: chmod go-w " + path);
    // By the descriptor that was checked, whatever the path leads to meanwhile.
    return read_file("/proc/self/fd/" + std::to_string(file->get()), kLargest);
}

/// False when there is no such file.
bool read_one(const std::string& path, LoadedSettings& loaded) {
    const auto text = read_checked(path);
    if (!text && is_missing(text.error())) return false;
    loaded.files.push_back(path);
    if (!text) {
        loaded.problems.push_back(path + ": " + text.error().message());
        return true;
    }
    for (const auto& problem : apply_settings(*text, loaded.settings)) loaded.problems.push_back(path + ":" + problem);
    return true;
}

} // namespace

Result<void> LoadedSettings::check() const {
    if (problems.empty()) return {};
    std::string all;
    for (const auto& problem : problems) all += (all.empty() ? "" : "; ") + problem;
    return fail(ErrorKind::invalid_argument, "the configuration is wrong: " + all, "See quiesced.conf(5); quiesced --check-config lists what is wrong.");
}

LoadedSettings load_settings(const SettingsFolders& where) {
    LoadedSettings loaded;
    for (const auto& folder : where.folders)
        if (read_one(folder + "/" + kName, loaded)) break;
    std::map<std::string, std::string> drop_ins; ///< path by name
    for (const auto& folder : where.folders) {
        const auto inside = folder + "/" + kName + ".d";
        const auto names = list_directory_at(AT_FDCWD, inside);
        if (!names) {
            if (!is_missing(names.error())) loaded.problems.push_back(inside + ": " + names.error().message());
            continue;
        }
        for (const auto& name : *names)
            if (name.ends_with(".conf") && !name.starts_with('.')) drop_ins.emplace(name, inside + "/" + name);
    }
    for (const auto& [name, path] : drop_ins) read_one(path, loaded);
    return loaded;
}

} // namespace quiesced
