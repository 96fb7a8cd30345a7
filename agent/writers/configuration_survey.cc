// SPDX-License-Identifier: LGPL-2.1-or-later
// What an admin has configured, for whoever looks: also what is refused, and what no set concerns.
#include <algorithm>
#include <utility>

#include "writers/configured_writers.h"
#include "writers/hook_directory.h"
#include "writers/writer_config.h"

namespace quiesced {
namespace {

/// For a directory of which nothing can be told but why.
ConfiguredWriter refused_directory(const std::string& directory, Error error) {
    ConfiguredWriter writer;
    writer.file = directory;
    writer.error = std::move(error);
    return writer;
}

ConfiguredWriter writer_of(HookEntry entry, std::chrono::milliseconds limit) {
    ConfiguredWriter writer;
    writer.name = std::move(entry.hook.name);
    writer.kind = type_name(WriterConfig::Type::script);
    writer.path = entry.hook.path;
    writer.file = std::move(entry.hook.path);
    writer.limit = limit;
    writer.ignored = std::move(entry.ignored);
    writer.error = std::move(entry.error);
    return writer;
}

ConfiguredWriter writer_of(WriterFile file) {
    ConfiguredWriter writer;
    writer.name = std::move(file.name);
    writer.file = std::move(file.path);
    if (!file.config) {
        writer.error = std::move(file.config).error();
        return writer;
    }
    auto& config = *file.config;
    const bool is_unit = config.type == WriterConfig::Type::unit;
    writer.kind = type_name(config.type);
    writer.path = is_unit ? config.unit : config.command.front();
    writer.volumes = std::move(config.volumes);
    if (is_unit) writer.method = config.method == WriterConfig::Method::stop ? "stop" : "freeze";
    writer.order = config.order;
    writer.limit = config.limit;
    writer.may_fail = config.may_fail;
    return writer;
}

} // namespace

std::vector<ConfiguredWriter> ConfiguredWriters::configured() const {
    std::vector<ConfiguredWriter> all;
    if (auto hooks = survey_hook_directory(settings_.hooks_directory); !hooks)
        all.push_back(refused_directory(settings_.hooks_directory, std::move(hooks).error()));
    else
        for (auto& entry : *hooks) all.push_back(writer_of(std::move(entry), settings_.limit));
    const auto declared = all.size();
    if (auto files = survey_writer_configs(settings_.writers_directory); !files)
        all.push_back(refused_directory(settings_.writers_directory, std::move(files).error()));
    else
        for (auto& file : *files) all.push_back(writer_of(std::move(file)));
    // As they freeze; what cannot be read has no place in that.
    std::stable_sort(all.begin() + static_cast<std::ptrdiff_t>(declared), all.end(), [](const auto& a, const auto& b) {
        return a.order.value_or(WriterConfig::kNoOrder) < b.order.value_or(WriterConfig::kNoOrder);
    });
    return all;
}

} // namespace quiesced
