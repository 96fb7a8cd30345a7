// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/live_view.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <utility>

#include "ctl/screen.h"
#include "view/text.h"

namespace quiesced {
namespace {

/// Back over so many lines, and all below cleared (ECMA-48: CUU, ED).
std::string back(std::size_t lines) { return lines == 0 ? std::string() : "\x1b[" + std::to_string(lines) + "A\r\x1b[J"; }

} // namespace

LiveView::LiveView(const BusPlace& place, const std::string& set) : board_(set) {
    if (!is_live_terminal() || !place.host.empty()) return;
    auto listener = Client::listen(place, [this](const SetNews& news) {
        const std::lock_guard lock(mutex_);
        if (board_.note(news)) draw();
    });
    if (listener) listener_ = std::move(*listener); // whatever keeps us from hearing keeps nobody from the set
}

LiveView::~LiveView() {
    listener_.reset();
    std::cerr << back(drawn_) << std::flush;
}

void LiveView::draw() {
    winsize size{};
    const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
    const auto text = board_.render(known ? size.ws_col : kScreenWidth, known ? std::max(2, size.ws_row - 1) : 20);
    std::cerr << back(drawn_) << text << std::flush;
    drawn_ = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

} // namespace quiesced
