// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/writer_dict.h"

#include <chrono>
#include <cstdint>

#include "bus/reply.h"

namespace quiesced {
namespace {

sdbus::Variant text(const std::string& value) { return sdbus::Variant(utf8(value)); }

} // namespace

Dict writer_to_dict(const WriterStatus& status) {
    const auto& [writer, last] = status;
    std::vector<std::string> volumes;
    for (const auto& volume : writer.volumes) volumes.push_back(utf8(volume));
    Dict dict{{"name", text(writer.name)},
              {"kind", text(writer.kind)},
              {"path", text(writer.path)},
              {"file", text(writer.file)},
              {"volumes", sdbus::Variant(volumes)},
              {"method", text(writer.method)},
              {"limit_ms", sdbus::Variant(static_cast<std::uint32_t>(writer.limit.count()))},
              {"on_failure", text(writer.may_fail ? "continue" : "abort")},
              {"ignored", text(writer.ignored)},
              {"error_name", text(writer.error ? kErrorPrefix + std::string(error_name(writer.error->kind)) : "")},
              {"error", text(writer.error ? writer.error->message() : "")}};
    if (writer.order) dict["order"] = sdbus::Variant(static_cast<std::uint32_t>(*writer.order));
    if (!last) return dict;
    dict["last_set"] = text(last->set);
    dict["last_time"] = sdbus::Variant(static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(last->time.time_since_epoch()).count()));
    dict["last_state"] = text(last->state);
    dict["last_consistency"] = text(last->consistency);
    dict["last_error"] = text(last->error);
    return dict;
}

} // namespace quiesced
