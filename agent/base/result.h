// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

namespace quiesced {

/// What went wrong, as a class that a caller can act on. Each kind is the D-Bus error
/// `org.quiesced1.Error.<Name>`, where <Name> is error_name(kind).
enum class ErrorKind {
    invalid_argument, ///< the request itself makes no sense
    no_such_volume,   ///< nothing in this guest answers to that name
    duplicate_volume, ///< two names in one set mean the same volume
    not_mounted,      ///< the path exists, but no file system is mounted there
    unsupported,      ///< this kind of volume can never be a member (tmpfs, network)
    loop_backing,     ///< the volume lives in a file of another volume, or of itself
    no_provider,      ///< nothing here can take a snapshot of the volume
    plugin_missing,   ///< the plugin that the volume needs is not there
    plugin_failed,    ///< the plugin answered with an error, garbage or too late
    writer_failed,    ///< an application refused to quiesce, or took too long
    no_space,         ///< not enough room for the snapshot
    busy,             ///< another set, or another program, holds the volume
    foreign_freeze,   ///< somebody else had frozen the file system
    wrong_state,      ///< the set is not in a state that permits the call
    no_such_set,      ///< no set of that id
    limit,            ///< a limit on the number or size of something is reached
    deadline,         ///< a time limit passed
    lost,             ///< a process or connection that is needed went away
    lvm_failed,       ///< an LVM command failed
    kernel,           ///< a system call failed; see error_number
    io,               ///< a file could not be read or written
    access_denied,    ///< the caller may not do that
    internal,         ///< a defect of quiesced
};

/// "NoSuchVolume" for ErrorKind::no_such_volume; the last part of the D-Bus error name.
std::string_view error_name(ErrorKind kind);

/// The inverse of error_name(); ErrorKind::internal for a name that is none of ours.
ErrorKind error_kind(std::string_view name);

/// An error for an admin: what happened to what, why, and what to do about it.
struct Error {
    ErrorKind kind = ErrorKind::internal;
    int error_number = 0;            ///< errno, 0 when no system call is to blame
    std::string context;             ///< what happened, to what: "cannot open /dev/vg/a"
    std::string advice;              ///< what to do: a sentence, may be empty
    std::vector<std::string> undone; ///< undo steps that failed on the way back, if any

    /// One line: context, the errno's text, the advice, the failed undo steps.
    [[nodiscard]] std::string message() const;
};

template <typename T>
using Result = tl::expected<T, Error>;

/// `return fail(ErrorKind::no_such_volume, "...", "...")` from any function that returns a Result.
tl::unexpected<Error> fail(ErrorKind kind, std::string context, std::string advice = {});

/// The same with the errno of a system call that just failed.
tl::unexpected<Error> fail_errno(std::string context, int error_number = errno,
                                 ErrorKind kind = ErrorKind::kernel);

/// Hands an error on to a caller whose Result has another type: `return pass(result);`
template <typename T>
tl::unexpected<Error> pass(Result<T>&& result) {
    return tl::unexpected<Error>(std::move(result).error());
}
template <typename T>
tl::unexpected<Error> pass(Result<T>& result) {
    return tl::unexpected<Error>(result.error());
}

} // namespace quiesced
