// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/lease_text.h"

#include <pwd.h>

#include <array>
#include <cmath>
#include <cstdint>

#include "ctl/table.h"
#include "view/text.h"

namespace quiesced {
namespace {

/// Its name where it has one here.
std::string user_text(double user) {
    const auto number = static_cast<uid_t>(user);
    passwd entry{};
    passwd* found = nullptr;
    std::array<char, 4096> buffer{};
    if (::getpwuid_r(number, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) return entry.pw_name;
    return std::to_string(number);
}

std::string time_text(const Json& lease, const char* key, std::chrono::system_clock::time_point now) {
    const auto micros = number_of(lease, key).value_or(0);
    if (micros == 0) return {};
    const auto ms = micros / 1e3 - static_cast<double>(std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count()) / 1e3;
    return ms < 0 ? duration_text(-ms) + " ago" : "in " + duration_text(ms);
}

/// What ends it when its requestor goes.
std::string tie_text(const Json& lease) {
    if (flag_of(lease, "held")) return "handle";
    return flag_of(lease, "bound") ? "connection" : "deadline";
}

} // namespace

std::string news_text(const SetNews& news) {
    const auto head = (news.set.empty() ? "quiesced" : news.set) + " ";
    if (news.what == "progress") return head + news.step + " " + printable(news.volume) + " " + std::to_string(news.done) + "/" + std::to_string(news.total);
    if (news.what == "warning") return head + "warning (" + printable(news.kind) + "): " + (news.volume.empty() ? "" : printable(news.volume) + ": ") + printable(news.message);
    return head + (news.state.empty() ? news.what : news.state) + (news.error.empty() ? "" : ": " + printable(news.error));
}

std::string render_leases(const Json& leases, std::chrono::system_clock::time_point now, const Screen& screen) {
    std::vector<std::vector<Cell>> rows;
    for (const auto& lease : leases) {
        const auto path = text_of(lease, "set");
        const auto state = text_of(lease, "state");
        rows.push_back({path.substr(path.rfind('/') + 1), Cell(state, state == "frozen" ? Colour::red : Colour::yellow), user_text(number_of(lease, "user").value_or(0)),
                        text_of(lease, "connection"), time_text(lease, "since", now), time_text(lease, "until", now), tie_text(lease)});
    }
    if (rows.empty()) return "Nobody holds a volume: no set is unfinished.\n";
    return render_table({{"SET"}, {"STATE"}, {"USER"}, {"CONNECTION"}, {"MADE", true}, {"GIVEN UP", true}, {"TIED TO"}}, rows, screen);
}

} // namespace quiesced
