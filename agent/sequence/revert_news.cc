// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/revert_news.h"

#include <array>
#include <vector>

#include "base/join.h"

namespace quiesced {
namespace {

std::vector<std::string> with_word(const Manifest& manifest, const std::string& word) {
    std::vector<std::string> names;
    for (const auto& member : manifest.members)
        if (member.revert == word) names.push_back(member.volume);
    return names;
}

} // namespace

std::string revert_so_far(const Manifest& manifest) {
    struct Words {
        const char* word;
        const char* one;
        const char* more;
    };
    constexpr std::array all{Words{kRevertDone, " is put back", " are put back"}, Words{kRevertRunning, " is being put back", " are being put back"},
                             Words{kRevertPending, " is put back when it is activated the next time", " are put back when they are activated the next time"},
                             Words{kRevertInterrupted, " is not", " are not"}};
    std::string text;
    for (const auto& words : all) {
        const auto names = with_word(manifest, words.word);
        if (names.empty()) continue;
        text += (text.empty() ? "" : ", ") + joined(names) + (names.size() == 1 ? words.one : words.more);
    }
    return text;
}

std::string revert_advice(const Manifest& manifest) {
    return "The volumes of the set do not fit together. Unmount " + joined(with_word(manifest, kRevertInterrupted)) + ", then go on with: quiescectl revert " +
           manifest.id + "; or leave all as it is, and delete what is left of the set: quiescectl delete " + manifest.id;
}

} // namespace quiesced
