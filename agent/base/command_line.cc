// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/command_line.h"

namespace quiesced {

Result<std::vector<std::string>> split_command(std::string_view text) {
    std::vector<std::string> words;
    std::string word;
    bool in_word = false;
    char quote = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quote == '\'') {
            if (c == '\'') quote = 0;
            else word += c;
        } else if (c == '\\' && (quote == 0 || (i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\')))) {
            if (++i == text.size()) return fail(ErrorKind::invalid_argument, "there is nothing behind the last \\");
            word += text[i];
            in_word = true;
        } else if (quote == '"') {
            if (c == '"') quote = 0;
            else word += c;
        } else if (c == '\'' || c == '"') {
            quote = c;
            in_word = true; // '' is a word, too
        } else if (c == ' ' || c == '\t') {
            if (in_word) words.push_back(std::move(word));
            word.clear();
            in_word = false;
        } else {
            word += c;
            in_word = true;
        }
    }
    if (quote != 0) return fail(ErrorKind::invalid_argument, std::string("a quote ") + quote + " is not closed");
    if (in_word) words.push_back(std::move(word));
    if (words.empty() || !words.front().starts_with('/'))
        return fail(ErrorKind::invalid_argument, "a command must begin with the full path of its program");
    return words;
}

} // namespace quiesced
