// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bench/plugin.d/stage.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/child.h"
#include "base/file.h"
#include "plugins/targetd/initiator.h"

namespace quiesced {
namespace {

void write(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
    ::chmod(path.c_str(), 0600);
}

/// LIO's WWIDs hold the first 25 hexadecimal digits of it.
std::string uuid(int number) { return "aaaaa" + std::to_string(number) + "-0123-4567-89ab-cdef-0123-456789"; }

template <typename Condition>
bool comes(Condition condition) {
    const auto deadline = Monotonic::now() + std::chrono::seconds(20);
    while (!condition()) {
        if (Monotonic::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
}

} // namespace

Result<std::unique_ptr<Stage>> Stage::make(int luns, std::chrono::milliseconds work) {
    std::string pattern = (std::filesystem::temp_directory_path() / "quiesced-bench-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) return fail_errno("cannot make a folder");
    std::unique_ptr<Stage> stage(new Stage); // house-allow(new): a private constructor
    const auto& folder = stage->folder_ = pattern;
    for (const char* name : {"/array/pool", "/credentials", "/run", "/sockets"}) std::filesystem::create_directories(folder + name);
    for (int i = 0; i < luns; ++i) {
        write(folder + "/array/pool/lun" + std::to_string(i), "content");
        write(folder + "/array/pool/lun" + std::to_string(i) + ".uuid", uuid(i));
    }
    write(folder + "/password", "bench\n");
    write(folder + "/credentials/san", "bench\n");
    write(folder + "/faults", R"({"vol_copy": {"before_ms": )" + std::to_string(work.count()) + "}}");
    const auto made = run_child({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=san", "-addext",
                                 "subjectAltName=IP:127.0.0.1", "-keyout", folder + "/key.pem", "-out", folder + "/cert.pem"});
    if (!made || made->exit_status != 0) return fail(ErrorKind::io, "openssl makes no certificate");

    stage->array_.emplace(std::vector<std::string>{"python3", QUIESCED_SOURCE_ROOT "/tests/array/targetd_server.py", "--files", folder + "/array", "--password-file",
                                                   folder + "/password", "--faults", folder + "/faults", "--times", folder + "/times", "--cert", folder + "/cert.pem", "--key",
                                                   folder + "/key.pem"},
                          folder + "/array.log");
    if (!comes([&] { return stage->array_->output().find('\n') != std::string::npos; })) return fail(ErrorKind::lost, "the array does not start");
    const auto said = stage->array_->output();
    const auto line = said.substr(0, said.find('\n'));
    const auto port = line.substr(line.rfind(':') + 1);
    write(folder + "/targetd.conf", "[san]\nurl = https://127.0.0.1:" + port + "/targetrpc\nca_file = " + folder + "/cert.pem\n");
    stage->plugin_.emplace(std::vector<std::string>{"systemd-socket-activate", "--accept", "--inetd", "-l", folder + "/sockets/targetd.sock", "-E",
                                                    "CREDENTIALS_DIRECTORY=" + folder + "/credentials", QUIESCED_PLUGIN_TARGETD, "--config", folder + "/targetd.conf",
                                                    "--runtime-directory", folder + "/run", "--sysfs", folder + "/sys"},
                           folder + "/plugin.log");
    if (!comes([&] { return stage->connect().has_value(); })) return fail(ErrorKind::lost, "the plugin does not start");
    return stage;
}

Stage::~Stage() {
    plugin_.reset();
    array_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

Json Stage::disks(int count) const {
    Json disks = Json::array();
    for (int i = 0; i < count; ++i)
        disks.push_back({{"wwid", lio_wwid(uuid(i))}, {"size_bytes", 1U << 30U}, {"vendor", "LIO-ORG"}, {"model", "IBLOCK"}, {"serial", uuid(i)}, {"transport", "iscsi"}, {"lun", i}});
    return disks;
}

Result<PluginConnection> Stage::connect() const { return PluginConnection::connect("targetd", folder_ + "/sockets", Monotonic::now()); }

std::vector<double> Stage::take_work_ms() {
    std::vector<double> times;
    std::istringstream lines(read_file(folder_ + "/times").value_or(""));
    std::string method;
    for (double ms = 0; lines >> method >> ms;)
        if (method == "vol_copy") times.push_back(ms);
    write(folder_ + "/times", "");
    return times;
}

} // namespace quiesced
