// SPDX-License-Identifier: LGPL-2.1-or-later
// What a set tells while it is under way: its notes, and how far it is. Nothing of it in the window.
#include <algorithm>
#include <numeric>
#include <utility>

#include "base/scope_exit.h"
#include "sequence/snapshot_set.h"

namespace quiesced {
namespace {

/// A flush that is shorter is not worth a line.
constexpr std::chrono::milliseconds kFlushLook{200};

} // namespace

void SnapshotSet::note(std::string sentence) {
    const std::lock_guard lock(mutex_);
    manifest_.notes.push_back(std::move(sentence));
}

/// Those that were not told yet; when all is thawed.
void SnapshotSet::tell_notes() {
    if (!environment_.telling.note) return;
    std::vector<std::string> fresh;
    {
        const std::lock_guard lock(mutex_);
        for (; notes_told_ < manifest_.notes.size(); ++notes_told_) fresh.push_back(manifest_.notes[notes_told_]);
    }
    for (const auto& sentence : fresh) environment_.telling.note(id_, sentence);
}

/// These members are done; called from several threads at once.
void SnapshotSet::tell_progress(const char* step, const std::vector<std::size_t>& members) {
    if (!environment_.telling.progress) return;
    const auto total = static_cast<std::uint32_t>(plan_.members.size());
    for (const auto index : members)
        environment_.telling.progress(id_, {.step = step, .member = plan_.members[index].volume.name, .done = ++progressed_, .total = total});
}

void SnapshotSet::tell_cuts() {
    std::vector<std::size_t> all(plan_.members.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    progressed_ = 0;
    tell_progress("cut", all);
}

/// The first one, which has much to write; what is left after it is written without a word, since the window comes next.
Result<void> SnapshotSet::flush(FreezerClient& client) {
    flushing_ = true;
    const ScopeExit over([this] { flushing_ = false; });
    if (environment_.telling.progress) watch_flush(std::vector<bool>(client.record().members().size()));
    return client.flush(environment_.flush_bound);
}

/// That a volume is flushed stands in the record and nowhere else: it is looked at while the flush lasts.
void SnapshotSet::watch_flush(std::vector<bool> told) {
    urgent_.post_at(Monotonic::now() + kFlushLook, [this, told = std::move(told)]() mutable {
        const auto client = freezer();
        if (!client || !flushing_) return;
        const auto slots = client->record().members();
        const auto total = static_cast<std::uint32_t>(slots.size());
        for (std::size_t i = 0; i < slots.size(); ++i) {
            if (told[i] || slots[i].flush_ns.load() == 0) continue;
            told[i] = true;
            const auto done = static_cast<std::uint32_t>(std::count(told.begin(), told.end(), true));
            if (flushing_) environment_.telling.progress(id_, {.step = "flush", .member = slots[i].name, .done = done, .total = total});
        }
        watch_flush(std::move(told));
    });
}

} // namespace quiesced
