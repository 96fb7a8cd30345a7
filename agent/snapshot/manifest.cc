// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/manifest.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include <nlohmann/json.hpp>

#include "base/file.h"

namespace quiesced {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSuffix = ".json";

Json optional_to_json(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json member_to_json(const ManifestMember& member) {
    return {{"volume", member.volume},
            {"file_system", member.file_system},
            {"uuid", member.uuid},
            {"origin", member.origin},
            {"placement", member.placement},
            {"evidence", member.evidence},
            {"mount_points", member.mount_points},
            {"mount_roots", member.mount_roots},
            {"provider", member.provider},
            {"snapshot", member.snapshot},
            {"device", member.device},
            {"reference", member.reference},
            {"consistency", member.consistency},
            {"error", member.error},
            {"revert", member.revert},
            {"revert_percent", optional_to_json(member.revert_percent)},
            {"foreign", member.foreign},
            {"flush_ms", optional_to_json(member.flush_ms)},
            {"flush_total_ms", optional_to_json(member.flush_total_ms)},
            {"freeze_ms", optional_to_json(member.freeze_ms)},
            {"hold_ms", optional_to_json(member.hold_ms)},
            {"thaw_ms", optional_to_json(member.thaw_ms)},
            {"frozen_at_ms", optional_to_json(member.frozen_at_ms)}};
}

Json writer_to_json(const ManifestWriter& writer) {
    return {{"name", writer.name},
            {"kind", writer.kind},
            {"volumes", writer.volumes},
            {"quiesced", writer.quiesced},
            {"error", writer.error},
            {"freeze_ms", optional_to_json(writer.freeze_ms)},
            {"thaw_ms", optional_to_json(writer.thaw_ms)},
            {"records", Json(writer.records)}};
}

Json span_to_json(const ManifestSpan& span) {
    return {{"what", span.what}, {"start_ms", span.start_ms}, {"length_ms", span.length_ms}};
}

/// Reads the keys of one object; keeps the first problem, with the key's place in the document.
class Reader {
public:
    Reader(const Json& object, std::string place, std::string& problem)
        : object_(object), place_(std::move(place)), problem_(problem) {
        if (!object.is_object()) complain("is no object");
    }

    void read(const char* key, std::string& value) {
        if (const auto* found = find(key)) {
            if (found->is_string())
                value = found->get<std::string>();
            else
                complain_of(key, "is no text");
        }
    }
    void read(const char* key, double& value) {
        if (const auto* found = find(key)) {
            if (found->is_number())
                value = found->get<double>();
            else
                complain_of(key, "is no number");
        }
    }
    /// null, or not there: not measured.
    void read(const char* key, std::optional<double>& value) {
        const auto found = object_.find(key);
        if (found == object_.end() || found->is_null()) return;
        double number = 0;
        read(key, number);
        value = number;
    }
    void read(const char* key, std::vector<std::string>& values) {
        for_each(key, [&](const Json& item, const std::string& place) {
            if (item.is_string())
                values.push_back(item.get<std::string>());
            else
                complain(place, "is no text");
        });
    }
    void read(const char* key, bool& value) {
        if (const auto* found = find(key)) {
            if (found->is_boolean())
                value = found->get<bool>();
            else
                complain_of(key, "is neither true nor false");
        }
    }
    void read(const char* key, std::map<std::string, std::string>& values) {
        const auto* found = find(key);
        if (found == nullptr) return;
        if (!found->is_object()) return complain_of(key, "is no object");
        for (const auto& [name, value] : found->items()) {
            if (value.is_string())
                values[name] = value.get<std::string>();
            else
                complain(place_of(key) + "." + name, "is no text");
        }
    }
    /// A key that earlier releases did not write.
    template <typename T>
    void read_if_there(const char* key, T& value) {
        if (object_.is_object() && object_.contains(key)) read(key, value);
    }
    template <typename Visit>
    void for_each(const char* key, Visit visit) {
        const auto* found = find(key);
        if (found == nullptr) return;
        if (!found->is_array()) return complain_of(key, "is no list");
        for (std::size_t index = 0; index < found->size(); ++index)
            visit(found->at(index), place_of(key) + "[" + std::to_string(index) + "]");
    }

private:
    const Json* find(const char* key) {
        if (!object_.is_object()) return nullptr;
        const auto found = object_.find(key);
        if (found != object_.end()) return &*found;
        complain_of(key, "is missing");
        return nullptr;
    }
    [[nodiscard]] std::string place_of(const char* key) const { return place_.empty() ? key : place_ + "." + key; }
    void complain_of(const char* key, const char* what) { complain(place_of(key), what); }
    void complain(const char* what) { complain(place_.empty() ? "the whole" : place_, what); }
    void complain(const std::string& place, const char* what) {
        if (problem_.empty()) problem_ = place + " " + what;
    }

    const Json& object_;
    std::string place_;
    std::string& problem_;
};

ManifestMember member_from_json(const Json& json, const std::string& place, std::string& problem) {
    ManifestMember member;
    Reader reader(json, place, problem);
    reader.read("volume", member.volume);
    reader.read("file_system", member.file_system);
    reader.read("uuid", member.uuid);
    reader.read("origin", member.origin);
    reader.read("placement", member.placement);
    reader.read("evidence", member.evidence);
    reader.read("mount_points", member.mount_points);
    reader.read_if_there("mount_roots", member.mount_roots);
    reader.read("provider", member.provider);
    reader.read("snapshot", member.snapshot);
    reader.read("device", member.device);
    reader.read("reference", member.reference);
    reader.read("consistency", member.consistency);
    reader.read("error", member.error);
    reader.read_if_there("revert", member.revert);
    reader.read("revert_percent", member.revert_percent);
    reader.read_if_there("foreign", member.foreign);
    reader.read("flush_ms", member.flush_ms);
    reader.read("flush_total_ms", member.flush_total_ms);
    reader.read("freeze_ms", member.freeze_ms);
    reader.read("hold_ms", member.hold_ms);
    reader.read("thaw_ms", member.thaw_ms);
    reader.read("frozen_at_ms", member.frozen_at_ms);
    return member;
}

ManifestWriter writer_from_json(const Json& json, const std::string& place, std::string& problem) {
    ManifestWriter writer;
    Reader reader(json, place, problem);
    reader.read("name", writer.name);
    reader.read("kind", writer.kind);
    reader.read("volumes", writer.volumes);
    reader.read("quiesced", writer.quiesced);
    reader.read("error", writer.error);
    reader.read("freeze_ms", writer.freeze_ms);
    reader.read("thaw_ms", writer.thaw_ms);
    reader.read("records", writer.records);
    return writer;
}

ManifestSpan span_from_json(const Json& json, const std::string& place, std::string& problem) {
    ManifestSpan span;
    Reader reader(json, place, problem);
    reader.read("what", span.what);
    reader.read("start_ms", span.start_ms);
    reader.read("length_ms", span.length_ms);
    return span;
}

Result<UniqueFd> open_store(const std::string& directory) {
    return open_at(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY);
}

} // namespace

std::string manifest_to_json(const Manifest& manifest) {
    Json members = Json::array();
    for (const auto& member : manifest.members) members.push_back(member_to_json(member));
    Json writers = Json::array();
    for (const auto& writer : manifest.writers) writers.push_back(writer_to_json(writer));
    Json timeline = Json::array();
    for (const auto& span : manifest.timeline) timeline.push_back(span_to_json(span));
    const Json json{{"version", Manifest::kVersion},
                    {"id", manifest.id},
                    {"state", manifest.state},
                    {"consistency", manifest.consistency},
                    {"created", manifest.created},
                    {"host", manifest.host},
                    {"kernel", manifest.kernel},
                    {"error", manifest.error},
                    {"stuck", manifest.stuck},
                    {"notes", manifest.notes},
                    {"window_ms", optional_to_json(manifest.window_ms)},
                    {"members", members},
                    {"writers", writers},
                    {"timeline", timeline}};
    // A path may be any bytes, JSON and D-Bus want UTF-8: what is none becomes U+FFFD.
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Manifest> manifest_from_json(const std::string& text) {
    const auto refuse = [](const std::string& what) {
        return fail(ErrorKind::io, "this is no manifest of a snapshot set: " + what);
    };
    const auto json = Json::parse(text, nullptr, false);
    if (json.is_discarded() || !json.is_object()) return refuse("it is no JSON object");
    const auto version = json.find("version");
    if (version == json.end()) return refuse("version is missing");
    if (!version->is_number_integer()) return refuse("version is no whole number");
    if (*version != Manifest::kVersion)
        return fail(ErrorKind::io,
                    "the manifest has version " + version->dump() + ", known is " + std::to_string(Manifest::kVersion),
                    "Use the version of quiesced that wrote it.");

    Manifest manifest;
    std::string problem;
    Reader reader(json, "", problem);
    reader.read("id", manifest.id);
    reader.read("state", manifest.state);
    reader.read("consistency", manifest.consistency);
    reader.read("created", manifest.created);
    reader.read("host", manifest.host);
    reader.read("kernel", manifest.kernel);
    reader.read("error", manifest.error);
    reader.read("stuck", manifest.stuck);
    reader.read_if_there("notes", manifest.notes);
    reader.read("window_ms", manifest.window_ms);
    reader.for_each("members", [&](const Json& item, const std::string& place) {
        manifest.members.push_back(member_from_json(item, place, problem));
    });
    // Not written by earlier releases.
    if (json.contains("writers"))
        reader.for_each("writers", [&](const Json& item, const std::string& place) {
            manifest.writers.push_back(writer_from_json(item, place, problem));
        });
    reader.for_each("timeline", [&](const Json& item, const std::string& place) {
        manifest.timeline.push_back(span_from_json(item, place, problem));
    });
    if (!problem.empty()) return refuse(problem);
    return manifest;
}

ManifestStore::ManifestStore(std::string directory) : directory_(std::move(directory)) {}

Result<void> ManifestStore::save(const Manifest& manifest) {
    // The id becomes a file name.
    const auto id = SetId::parse(manifest.id);
    if (!id) return tl::unexpected<Error>(id.error());
    if (auto made = make_directories(directory_, 0700); !made) return made;
    const auto store = open_store(directory_);
    if (!store) return tl::unexpected<Error>(store.error());
    return replace_file_at(store->get(), id->text() + kSuffix, manifest_to_json(manifest), 0600);
}

Result<Manifest> ManifestStore::load(const SetId& id) const {
    const auto path = directory_ + "/" + id.text() + kSuffix;
    const auto text = read_file(path);
    if (!text) {
        if (text.error().error_number == ENOENT)
            return fail(ErrorKind::no_such_set, "there is no snapshot set " + id.text(), "See: quiescectl show");
        return tl::unexpected<Error>(text.error());
    }
    auto manifest = manifest_from_json(*text);
    if (!manifest) {
        manifest.error().context = path + ": " + manifest.error().context;
        return manifest;
    }
    if (manifest->id != id.text())
        return fail(ErrorKind::io, path + " is the manifest of another set, " + manifest->id);
    return manifest;
}

Result<void> ManifestStore::remove(const SetId& id) {
    const auto store = open_store(directory_);
    if (!store) {
        if (store.error().error_number == ENOENT) return {};
        return tl::unexpected<Error>(store.error());
    }
    const auto name = id.text() + kSuffix;
    if (::unlinkat(store->get(), name.c_str(), 0) != 0) {
        if (errno == ENOENT) return {};
        return fail_errno("cannot remove " + directory_ + "/" + name);
    }
    if (::fsync(store->get()) != 0) return fail_errno("cannot write to the disk the folder " + directory_);
    return {};
}

Result<std::vector<SetId>> ManifestStore::list() const {
    const auto names = list_directory_at(AT_FDCWD, directory_);
    std::vector<SetId> ids;
    if (!names) {
        if (names.error().error_number == ENOENT) return ids;
        return tl::unexpected<Error>(names.error());
    }
    // Sorted names are sorted by age, since an id begins with its time.
    const std::string suffix = kSuffix;
    for (const auto& name : *names) {
        if (!name.ends_with(suffix)) continue;
        if (auto id = SetId::parse(name.substr(0, name.size() - suffix.size()))) ids.push_back(*id);
    }
    return ids;
}

} // namespace quiesced
