// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace quiesced {

/// What the daemon tells in the journal, each with a MESSAGE_ID that never changes and an explanation in systemd/quiesced.catalog,
/// which `journalctl -x` shows. A new one gets a new id by `systemd-id128 new`; tests/house/catalogue compares both files.
enum class Message : std::uint16_t {
    none,
    set_new,
    set_state,
    set_failed,
    set_removed,
    set_undone,
    set_not_undone,
    set_not_rebuilt,
    set_note,
    space_low,
    space_extended,
    space_not_extended,
    snapshot_lost,
    put_back,
    put_back_later,
    revert_not_begun,
    revert_goes_on,
    revert_interrupted,
    left_open,
    not_mended,
    ready,
    reloaded,
    not_reloaded,
};

inline constexpr std::array<std::string_view, 23> kMessageIds{
    "", // none
    "8b8b7bf022214a3ca14ef251025191ac", // set_new
    "538973d6a28d48a39f4af72e483693a6", // set_state
    "05706a918024444088c846e9ffcc5f0c", // set_failed
    "368e990d39aa42fbae2732ddbafdd2ea", // set_removed
    "0d8a8b90b9f6444194841bbc29470916", // set_undone
    "f75ac57ce25a45a6b261e244a4595614", // set_not_undone
    "9fd7e72cd28e463b8cb8f8987ae2cdca", // set_not_rebuilt
    "10e1471cb30444ec9572ae0ac63aefbe", // set_note
    "366e032c3bbd4773abebb2c1fd7d0b66", // space_low
    "f1659d3b5964415f820d7c4b35afc7ea", // space_extended
    "73fec54b29ba43f4b6ac390b679ef7a5", // space_not_extended
    "ee43c3f538d544ff8be20b1550d78972", // snapshot_lost
    "9505996647fd410aa30cfe81bf0ab6dc", // put_back
    "d80061342b664b0086249b4b1d5e7734", // put_back_later
    "3b973437f3934f29a4684dd0066000a8", // revert_not_begun
    "885f48c77a2c43b3b7bd41f15f1e19d1", // revert_goes_on
    "cd5688aaed9f48a49556b00230a72e02", // revert_interrupted
    "9f571be7870a41a2ace2c04ff8fbafb4", // left_open
    "9f9499933fcc4f9890fe7bdc3bca1f7a", // not_mended
    "59e0af93565845cc804783f476911687", // ready
    "0c1de6989c37438490c2231ab3ff3ebc", // reloaded
    "4f7763b721d544c6a2baf5175fa54e5d", // not_reloaded
};

/// 32 hexadecimal digits, as the journal's MESSAGE_ID; empty for none.
constexpr std::string_view message_id(Message message) { return kMessageIds[static_cast<std::size_t>(message)]; }

} // namespace quiesced
