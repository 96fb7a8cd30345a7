// SPDX-License-Identifier: LGPL-2.1-or-later
#include "writers/writer_record.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/ids.h"
#include "writers/script_writer.h"
#include "writers/unit_writer.h"

namespace quiesced {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;

constexpr std::string_view kSuffix = ".writers";
constexpr std::int64_t kLongestLimit = 3'600'000;

/// An object that thaws as the lost one would have; null for a kind that is not known.
std::unique_ptr<Writer> make_lost(const WriterUndo& undo, Units& units, const Outside& outside) {
    if (undo.what.empty()) return nullptr;
    if (undo.kind == "script") return std::make_unique<ScriptWriter>(undo.name, undo.what, true, outside);
    if (undo.kind == "unit-thaw") return std::make_unique<UnitWriter>(undo.name, undo.what.front(), WriterConfig::Method::freeze, units, true);
    if (undo.kind == "unit-start") return std::make_unique<UnitWriter>(undo.name, undo.what.front(), WriterConfig::Method::stop, units, true);
    return nullptr;
}

WriterRecovery thaw_lost(const LostWriters& lost, Units& units, const Outside& outside) {
    WriterRecovery recovery{.set = lost.context.set, .thawed = {}, .failed = {}};
    for (auto undo = lost.undos.rbegin(); undo != lost.undos.rend(); ++undo) {
        const auto writer = make_lost(*undo, units, outside);
        if (!writer) {
            recovery.failed.push_back("the writer " + undo->name + " is of the kind '" + undo->kind + "', which is not known here: thaw it by hand");
            continue;
        }
        if (auto thawed = writer->thaw(lost.context, Monotonic::now() + undo->limit); !thawed) recovery.failed.push_back(thawed.error().message());
        else recovery.thawed.push_back(undo->name);
    }
    return recovery;
}

} // namespace

WriterRecord::WriterRecord(std::string path, UniqueFd file, WriterContext context)
    : path_(std::move(path)), file_(std::move(file)), context_(std::move(context)) {}

WriterRecord::~WriterRecord() {
    if (file_) ::unlink(path_.c_str());
}

Result<WriterRecord> WriterRecord::create(const std::string& directory, const WriterContext& context) {
    if (auto made = make_directories(directory, 0755); !made) return pass(made);
    auto path = directory + "/" + context.set + std::string(kSuffix);
    auto file = open_at(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (!file) return tl::unexpected<Error>(file.error());
    if (::flock(file->get(), LOCK_EX | LOCK_NB) != 0) return fail_errno("cannot lock " + path);
    return WriterRecord(std::move(path), std::move(*file), context);
}

Result<void> WriterRecord::note(const std::vector<WriterUndo>& undos) {
    Json writers = Json::array();
    for (const auto& undo : undos) writers.push_back({{"kind", undo.kind}, {"name", undo.name}, {"what", undo.what}, {"limit_ms", undo.limit.count()}});
    const auto text = Json{{"version", 1}, {"set", context_.set}, {"volumes", context_.volumes}, {"writers", writers}}
                          .dump(-1, ' ', false, Json::error_handler_t::replace);
    // In place: the lock is the file's. It only ever grows, so that a reader never sees half of a shorter one.
    if (::pwrite(file_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) return fail_errno("cannot write " + path_);
    if (::ftruncate(file_.get(), static_cast<off_t>(text.size())) != 0) return fail_errno("cannot write " + path_);
    return {};
}

Result<LostWriters> parse_writer_record(const std::string& text) {
    const auto refuse = [](const char* what) { return fail(ErrorKind::io, std::string("this is no record of writers: ") + what); };
    const auto json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return refuse("it is no JSON object");
    if (json.value("version", Json()) != 1) return refuse("its version is not 1");
    const auto texts = [](const Json& object, const char* key) {
        std::vector<std::string> all;
        const auto list = object.find(key);
        if (list == object.end() || !list->is_array()) return all;
        for (const auto& item : *list)
            if (item.is_string()) all.push_back(item.get<std::string>());
        return all;
    };
    const auto one = [](const Json& object, const char* key) {
        const auto found = object.find(key);
        return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    LostWriters lost{.context = {.set = one(json, "set"), .volumes = texts(json, "volumes"), .aborted = true}, .undos = {}};
    const auto writers = json.find("writers");
    if (writers == json.end() || !writers->is_array()) return refuse("writers is no list");
    for (const auto& writer : *writers) {
        if (!writer.is_object()) return refuse("a writer is no object");
        WriterUndo undo{.kind = one(writer, "kind"), .name = one(writer, "name"), .what = texts(writer, "what"), .limit = WriterUndo{}.limit};
        if (const auto limit = writer.find("limit_ms"); limit != writer.end() && limit->is_number_integer())
            undo.limit = milliseconds(std::clamp<std::int64_t>(limit->get<std::int64_t>(), 1, kLongestLimit));
        lost.undos.push_back(std::move(undo));
    }
    return lost;
}

Result<std::vector<WriterRecovery>> recover_writers(const std::string& directory, Units& units, const Outside& outside) {
    std::vector<WriterRecovery> all;
    const auto names = list_directory_at(AT_FDCWD, directory);
    if (!names && names.error().error_number == ENOENT) return all;
    if (!names) return tl::unexpected<Error>(names.error());
    for (const auto& name : *names) {
        if (!name.ends_with(kSuffix)) continue;
        const auto path = directory + "/" + name;
        const auto file = open_at(AT_FDCWD, path, O_RDWR | O_NOFOLLOW);
        if (!file) continue; // its daemon has just removed it
        if (::flock(file->get(), LOCK_EX | LOCK_NB) != 0) continue; // its daemon lives, or somebody else recovers
        const auto text = read_file("/proc/self/fd/" + std::to_string(file->get()), 1U << 20U);
        // Empty: the daemon was lost before it froze any.
        if (text && !text->empty()) {
            auto lost = parse_writer_record(*text);
            if (lost) all.push_back(thaw_lost(*lost, units, outside));
            else all.push_back({.set = name, .thawed = {}, .failed = {path + ": " + lost.error().message()}});
        }
        // Once: a thaw that failed is told of, and would fail again.
        ::unlink(path.c_str());
    }
    return all;
}

} // namespace quiesced
