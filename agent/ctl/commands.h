// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "config.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/screen.h"

namespace quiesced {

/// What the command line asks for.
struct Request {
    BusPlace place;
    std::string colour = "auto";
    bool json = false;
    bool all = false;
    bool emergency = false;
    bool never_ask = false; ///< for no password
    bool accept_foreign_freeze = false;
    bool keep_journal = false;
    unsigned deadline_ms = 10000;
    unsigned member_limit_ms = 0;
    unsigned sample_ms = 1000;
    double hold_seconds = 0; ///< 0: until somebody says so
    bool finish = false;     ///< what was held becomes a set
    bool dry_run = false;
    bool forget = false;
    bool known = false;     ///< plugins: without asking them
    std::string match_file; ///< "-" for standard input
    std::string columns; ///< as choose_columns() reads them
    std::string svg;     ///< file of a drawing, "-" for standard output; empty for none
    std::vector<std::string> volumes;
    std::string set;
    std::string folder;       ///< where a set is mounted
    std::string store;        ///< size of the copy-on-write stores; empty: the daemon's choice
    unsigned keep = 0;        ///< newest sets of the same volumes that stay; 0: not a rule
    std::string max_age;      ///< as parse_age() reads it; empty: not a rule
    std::string other_set;     ///< of diff; "-": the volume as it is
    std::string diff_volume;
    bool no_compare = false;   ///< diff: do not read what may differ
    bool yes = false;          ///< nobody is asked
    bool skip_missing = false; ///< mount the others when a member cannot be
    std::string shell; ///< whose completion is asked for
    std::vector<std::string> sets;
    std::vector<std::string> jobs; ///< numbers
    std::string draw_program = QUIESCED_LIBEXECDIR "/quiesced-draw";
    std::string hook_tool; ///< "qemu-ga"; empty: all, for status
    std::string hook_step; ///< freeze, thaw, abort; install, remove, status
    std::string hook_config = QUIESCED_SYSCONFDIR "/hook.conf";
    std::string hook_source = QUIESCED_DATADIR "/hooks"; ///< what is installed comes from here
    std::string hook_root;                               ///< and goes below here; empty: the system
    std::string run_directory = "/run/quiesced";
    std::string daemon_program = QUIESCED_SBINDIR "/quiesced";
};

/// A command of quiescectl: it prints what it found, or complains.
struct Context {
    Client& client;
    const Request& request;
    Screen screen; ///< of standard output
};

ExitCode list_columns(const Screen& screen);
ExitCode list_volumes(const Context& context);
ExitCode show_plan(const Context& context);
ExitCode list_plugins(const Context& context);
ExitCode list_writers(const Context& context);
ExitCode match_disks(const Context& context);
ExitCode take_snapshot(const Context& context);
ExitCode show(const Context& context);
ExitCode show_sets(const Context& context);
ExitCode show_timeline(const Context& context);
ExitCode list_leases(const Context& context);
ExitCode hold_volumes(const Context& context);
ExitCode watch_sets(const Context& context);
ExitCode reload(const Context& context);
ExitCode delete_sets(const Context& context);
ExitCode mount_snapshots(const Context& context);
ExitCode unmount_snapshots(const Context& context);
ExitCode diff_sets(const Context& context);
ExitCode revert_volumes(const Context& context);
ExitCode list_jobs(const Context& context);
ExitCode cancel_jobs(const Context& context);
ExitCode prune_sets(const Context& context);
ExitCode thaw_set(const Context& context);
ExitCode abort_sets(const Context& context);

ExitCode run_hook(const Context& context); ///< freeze, thaw or abort, for a hypervisor's guest tools
ExitCode manage_hooks(const Request& request);
/// Also without a bus: what can be looked at, is.
ExitCode examine(const Request& request, Answer<Client>& client, const Screen& screen);

/// Becomes the daemon's program, which thaws whatever it finds frozen; returns when that was not possible. Neither a bus nor a
/// running daemon is needed.
ExitCode thaw_in_emergency(const Request& request);

} // namespace quiesced
