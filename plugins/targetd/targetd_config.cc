// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plugins/targetd/targetd_config.h"

#include <ini.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <sstream>

#include "base/file.h"
#include "base/root_file.h"

namespace quiesced {
namespace {

std::optional<int> parse_number(const std::string& text, int least, int most) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number < least || number > most) return std::nullopt;
    return number;
}

bool is_section_name(const std::string& name) {
    return !name.empty() && name.size() <= 64 &&
           std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.'; });
}

class Reader {
public:
    /// As inih wants it: 0 is an error.
    static int take(void* reader, const char* section, const char* name, const char* value) {
        auto& self = *static_cast<Reader*>(reader);
        if (!self.problem_) self.problem_ = self.take_key(section, name, value == nullptr ? "" : value);
        return self.problem_ ? 0 : 1;
    }

    std::optional<std::string> problem_;
    TargetdConfig config_;

private:
    std::optional<std::string> take_key(const std::string& section, const std::string& key, const std::string& value) {
        if (!seen_.insert(section + "/" + key).second) return key + " is given twice";
        if (section.empty()) {
            if (key != "initiator") return "there is no key '" + key + "' outside of an array's section [NAME]";
            config_.initiator = value;
            return std::nullopt;
        }
        if (!is_section_name(section)) return "'" + section + "' is no name for an array: letters, digits, '-', '_', '.'";
        if (config_.arrays.empty() || config_.arrays.back().name != section) {
            if (!sections_.insert(section).second) return "the section [" + section + "] is there twice";
            auto& array = config_.arrays.emplace_back();
            array.name = section;
            array.credential = section;
        }
        return take_array_key(config_.arrays.back(), key, value);
    }

    static std::optional<std::string> take_array_key(TargetdArray& array, const std::string& key, const std::string& value) {
        if (value.empty()) return key + " is empty";
        if (key == "url") array.url = value;
        else if (key == "user") array.user = value;
        else if (key == "credential") array.credential = value;
        else if (key == "ca_file") array.ca_file = value;
        else if (key == "pinned_key") array.pinned_key = value;
        else if (key == "plain") {
            if (value != "yes" && value != "no") return "plain is yes or no, not '" + value + "'";
            array.plain = value == "yes";
        } else if (key == "pools") {
            std::istringstream words(value);
            for (std::string word; words >> word;) array.pools.push_back(word);
        } else if (key == "least_free_percent") {
            const auto number = parse_number(value, 0, 100);
            if (!number) return "least_free_percent is a number from 0 to 100, not '" + value + "'";
            array.least_free_percent = *number;
        } else if (key == "connections") {
            const auto number = parse_number(value, 1, 64);
            if (!number) return "connections is a number from 1 to 64, not '" + value + "'";
            array.connections = static_cast<unsigned>(*number);
        } else if (key == "password") {
            return "a password does not belong into this file: put it into a credential (LoadCredential=" + array.credential + ":/path in the unit)";
        } else {
            return "there is no key '" + key + "'";
        }
        return std::nullopt;
    }

    std::set<std::string> seen_;
    std::set<std::string> sections_;
};

std::optional<std::string> complaint(const TargetdArray& array) {
    if (array.url.empty()) return "url is missing";
    const bool is_plain = array.url.starts_with("http://");
    if (!is_plain && !array.url.starts_with("https://")) return "url is no http:// or https:// address: " + array.url;
    if (array.url.find('@') != std::string::npos) return "url has a user in it: use the key user, and a credential for the password";
    if (is_plain && !array.plain) return "url is not encrypted, so that anybody on the way can read the password: use https://, or say plain = yes";
    if (array.credential.find('/') != std::string::npos) return "credential is a name, no path";
    if (!array.ca_file.empty() && array.ca_file.front() != '/') return "ca_file is no full path";
    if (!array.pinned_key.empty() && !array.pinned_key.starts_with("sha256//")) return "pinned_key does not begin with sha256//";
    return std::nullopt;
}

} // namespace

std::string parse_initiator_name(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        constexpr std::string_view key = "InitiatorName=";
        if (!line.starts_with(key)) continue;
        auto name = line.substr(key.size());
        while (!name.empty() && std::isspace(static_cast<unsigned char>(name.back())) != 0) name.pop_back();
        return name;
    }
    return {};
}

Result<TargetdConfig> parse_targetd_config(const std::string& text) {
    Reader reader;
    const int bad_line = ::ini_parse_string(text.c_str(), &Reader::take, &reader);
    if (reader.problem_) return fail(ErrorKind::invalid_argument, "line " + std::to_string(bad_line) + ": " + *reader.problem_);
    if (bad_line != 0) return fail(ErrorKind::invalid_argument, "line " + std::to_string(bad_line) + " is no 'key = value'");
    if (reader.config_.arrays.empty()) return fail(ErrorKind::invalid_argument, "it names no array: there is no section [NAME] with a url");
    for (const auto& array : reader.config_.arrays)
        if (const auto what = complaint(array)) return fail(ErrorKind::invalid_argument, "[" + array.name + "]: " + *what);
    return std::move(reader.config_);
}

Result<TargetdConfig> read_targetd_config(const std::string& path, const std::string& credentials_directory,
                                          const std::string& initiator_file) {
    const auto text = read_root_file(path);
    if (!text) return tl::unexpected<Error>(text.error());
    auto config = parse_targetd_config(*text);
    if (!config) {
        config.error().context = path + ": " + config.error().context;
        return config;
    }
    if (config->initiator.empty())
        if (const auto names = read_file(initiator_file)) config->initiator = parse_initiator_name(*names);
    for (auto& array : config->arrays) {
        const auto secret = credentials_directory + "/" + array.credential;
        auto password = credentials_directory.empty() ? fail(ErrorKind::io, "there are no credentials") : read_file(secret, 4096);
        if (!password)
            return fail(ErrorKind::access_denied, path + ": [" + array.name + "]: the credential " + array.credential + " with the password is not there",
                        "Run: systemctl edit quiesced-plugin-targetd@.service, and add: LoadCredential=" + array.credential + ":/path/of/a/file");
        while (!password->empty() && (password->back() == '\n' || password->back() == '\r')) password->pop_back();
        array.password = std::move(*password);
    }
    return config;
}

} // namespace quiesced
