// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/result.h"

#include <array>
#include <cstring>

namespace quiesced {
namespace {

struct KindName {
    ErrorKind kind;
    std::string_view name;
};

constexpr auto kNames = std::to_array<KindName>({
    {ErrorKind::invalid_argument, "InvalidArgument"},
    {ErrorKind::no_such_volume, "NoSuchVolume"},
    {ErrorKind::duplicate_volume, "DuplicateVolume"},
    {ErrorKind::not_mounted, "NotMounted"},
    {ErrorKind::unsupported, "Unsupported"},
    {ErrorKind::loop_backing, "LoopBacking"},
    {ErrorKind::no_provider, "NoProvider"},
    {ErrorKind::plugin_missing, "PluginMissing"},
    {ErrorKind::plugin_failed, "PluginFailed"},
    {ErrorKind::writer_failed, "WriterFailed"},
    {ErrorKind::no_space, "NoSpace"},
    {ErrorKind::busy, "Busy"},
    {ErrorKind::foreign_freeze, "ForeignFreeze"},
    {ErrorKind::wrong_state, "WrongState"},
    {ErrorKind::no_such_set, "NoSuchSet"},
    {ErrorKind::limit, "LimitReached"},
    {ErrorKind::deadline, "DeadlinePassed"},
    {ErrorKind::lost, "Lost"},
    {ErrorKind::lvm_failed, "LvmFailed"},
    {ErrorKind::kernel, "KernelRefused"},
    {ErrorKind::io, "InputOutput"},
    {ErrorKind::access_denied, "AccessDenied"},
    {ErrorKind::internal, "Internal"},
});

} // namespace

std::string_view error_name(ErrorKind kind) {
    for (const auto& entry : kNames)
        if (entry.kind == kind) return entry.name;
    return "Internal";
}

ErrorKind error_kind(std::string_view name) {
    for (const auto& entry : kNames)
        if (entry.name == name) return entry.kind;
    return ErrorKind::internal;
}

std::string Error::message() const {
    std::string text = context;
    if (error_number != 0) {
        text += ": ";
        text += std::strerror(error_number); // NOLINT(concurrency-mt-unsafe): glibc's is thread-local
    }
    if (!advice.empty()) {
        if (!text.empty() && text.back() != '.') text += ". ";
        text += advice;
    }
    for (const auto& step : undone) text += "\n  not undone: " + step;
    return text;
}

tl::unexpected<Error> fail(ErrorKind kind, std::string context, std::string advice) {
    return tl::unexpected<Error>(Error{.kind = kind,
                                       .error_number = 0,
                                       .context = std::move(context),
                                       .advice = std::move(advice),
                                       .undone = {}});
}

tl::unexpected<Error> fail_errno(std::string context, int error_number, ErrorKind kind) {
    return tl::unexpected<Error>(Error{.kind = kind,
                                       .error_number = error_number,
                                       .context = std::move(context),
                                       .advice = {},
                                       .undone = {}});
}

} // namespace quiesced
