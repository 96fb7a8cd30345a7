// SPDX-License-Identifier: LGPL-2.1-or-later
// quiesced-leak-check: says what a test left behind, one sentence a line on standard error; exit status 1 if anything.
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include "leak_check.h"

int main(int argc, char** argv) {
    quiesced::LeakCheck check;
    bool no_processes = false;
    int patience = 3000;
    CLI::App app{"Looks for what quiesced or a test of it left behind: frozen file systems, suspended devices, snapshots, "
                 "processes, records, loop devices. Exit status: 0 nothing, 1 something, said on standard error."};
    app.add_option("--rcu", check.rcu_expedited, "what /sys/kernel/rcu_expedited has to be")->capture_default_str();
    app.add_option("--allow-set", check.allowed_sets, "id of a set whose snapshots may be there; repeatable");
    app.add_flag("--no-processes", no_processes, "do not look for freezers that still run");
    app.add_option("--freezer", check.freezer, "look only for freezers of this program");
    app.add_option("--records", check.records, "folder of the windows' records")->capture_default_str();
    app.add_option("--loops", check.loop_backing, "loop devices on files below this folder are leaks");
    app.add_option("--patience", patience, "milliseconds that anything may take to end by itself")->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    check.processes = !no_processes;
    check.patience = std::chrono::milliseconds(patience);
    const auto found = check.find();
    for (const auto& sentence : found) std::fprintf(stderr, "%s\n", sentence.c_str());
    return found.empty() ? 0 : 1;
}
