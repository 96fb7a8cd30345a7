// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/local_path.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <deque>
#include <vector>

namespace quiesced {
namespace {

constexpr int kMostLinks = 40; // the kernel's own limit

std::vector<std::string> parts_of(const std::string& path) {
    std::vector<std::string> parts;
    for (std::size_t start = 0; start < path.size();) {
        const auto end = std::min(path.find('/', start), path.size());
        const auto part = path.substr(start, end - start);
        if (!part.empty() && part != ".") parts.push_back(part);
        start = end + 1;
    }
    return parts;
}

} // namespace

std::string clean_path(const std::string& path) {
    std::string clean;
    for (const auto& part : parts_of(path)) clean += "/" + part;
    return clean.empty() ? "/" : clean;
}

Result<LocalPath> walk_path(const std::string& path, const std::function<bool(const std::string&)>& forbidden) {
    const auto first = parts_of(path);
    std::deque<std::string> rest(first.begin(), first.end());
    LocalPath reached;
    reached.path = "/";
    int links = 0;
    if (forbidden(reached.path)) {
        reached.stopped = true;
        return reached;
    }
    if (::lstat("/", &reached.status) != 0) return fail_errno("cannot look at /");
    while (!rest.empty()) {
        const auto part = rest.front();
        rest.pop_front();
        const auto folder = reached.path == "/" ? std::string() : reached.path;
        // What is reached has no symbolic links in it, so ".." may be taken literally.
        auto next = part == ".." ? folder.substr(0, std::min(folder.rfind('/'), folder.size())) : folder + "/" + part;
        if (next.empty()) next = "/";
        if (forbidden(next)) {
            reached.path = next;
            reached.stopped = true;
            return reached;
        }
        struct stat status {};
        if (::lstat(next.c_str(), &status) != 0) return fail_errno("cannot look at " + next);
        if (!S_ISLNK(status.st_mode)) {
            reached.path = next;
            reached.status = status;
            continue;
        }
        if (++links > kMostLinks) return fail_errno("cannot look at " + path, ELOOP);
        std::array<char, PATH_MAX> target{};
        const auto length = ::readlink(next.c_str(), target.data(), target.size());
        if (length < 0) return fail_errno("cannot look at " + next);
        const std::string text(target.data(), static_cast<std::size_t>(length));
        if (text.starts_with('/')) {
            reached.path = "/";
            if (::lstat("/", &reached.status) != 0) return fail_errno("cannot look at /");
        }
        const auto more = parts_of(text);
        rest.insert(rest.begin(), more.begin(), more.end());
    }
    return reached;
}

} // namespace quiesced
