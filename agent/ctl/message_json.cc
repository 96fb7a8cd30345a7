// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/message_json.h"

#include <cstdint>
#include <string>

namespace quiesced {
namespace {

using Json = nlohmann::json;

template <typename T>
Json read_basic(sdbus::Message& message) {
    T value{};
    message >> value;
    return value;
}

bool at_end(const sdbus::Message& message) { return bus_peek_type(message).first == '\0'; }

Json read_dictionary(sdbus::Message& message, const std::string& entry) {
    auto object = Json::object();
    message.enterContainer(entry.c_str());
    while (!at_end(message)) {
        message.enterDictEntry(entry.substr(1, entry.size() - 2).c_str()); // without its braces
        const auto key = read_json(message);
        object[key.is_string() ? key.get<std::string>() : key.dump()] = read_json(message);
        message.exitDictEntry();
    }
    message.exitContainer();
    return object;
}

Json read_list(sdbus::Message& message, const std::string& element) {
    auto list = Json::array();
    message.enterContainer(element.c_str());
    while (!at_end(message)) list.push_back(read_json(message));
    message.exitContainer();
    return list;
}

Json read_structure(sdbus::Message& message, const std::string& contents) {
    auto list = Json::array();
    message.enterStruct(contents.c_str());
    while (!at_end(message)) list.push_back(read_json(message));
    message.exitStruct();
    return list;
}

Json read_variant(sdbus::Message& message, const std::string& contents) {
    message.enterVariant(contents.c_str());
    auto value = read_json(message);
    message.exitVariant();
    return value;
}

} // namespace

nlohmann::json read_json(sdbus::Message& message) {
    const auto [type, contents] = bus_peek_type(message);
    switch (type) {
    case 'b': return read_basic<bool>(message);
    case 'y': return read_basic<std::uint8_t>(message);
    case 'n': return read_basic<std::int16_t>(message);
    case 'q': return read_basic<std::uint16_t>(message);
    case 'i': return read_basic<std::int32_t>(message);
    case 'u': return read_basic<std::uint32_t>(message);
    case 'x': return read_basic<std::int64_t>(message);
    case 't': return read_basic<std::uint64_t>(message);
    case 'd': return read_basic<double>(message);
    case 's': return read_basic<std::string>(message);
    case 'o': return std::string(read_basic<sdbus::ObjectPath>(message));
    case 'g': return std::string(read_basic<sdbus::Signature>(message));
    case 'v': return read_variant(message, contents);
    case 'r': return read_structure(message, contents);
    case 'a': return contents.starts_with('{') ? read_dictionary(message, contents) : read_list(message, contents);
    case 'h': {
        sdbus::UnixFd unused;
        message >> unused;
        return nullptr;
    }
    default: return nullptr; // the end
    }
}

} // namespace quiesced
