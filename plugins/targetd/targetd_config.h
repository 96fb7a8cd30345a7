// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"

namespace quiesced {

/// One array: a section of /etc/quiesced/plugins/targetd.conf.
struct TargetdArray {
    std::string name; ///< the section's
    std::string url;  ///< "https://san1:18700/targetrpc"
    std::string user = "admin";
    std::string credential;  ///< name of the systemd credential with the password; default: the array's name
    std::string ca_file;     ///< PEM; empty: the system's
    std::string pinned_key;  ///< "sha256//BASE64=": the server's public key must be this one; empty: any that the CA vouches for
    bool plain = false;      ///< http:// is allowed: password and commands in the clear
    std::vector<std::string> pools;      ///< only these; empty: all of type block
    int least_free_percent = 5;          ///< of a pool, else prepare refuses
    unsigned connections = 8;            ///< kept open to this array, and so calls at once
    std::string password;                ///< read from the credential; never printed
};

struct TargetdConfig {
    std::vector<TargetdArray> arrays;
    std::string initiator; ///< our IQN; from /etc/iscsi/initiatorname.iscsi unless set
};

/// Reads the text; passwords stay empty. Errors: invalid_argument, naming the section and key.
Result<TargetdConfig> parse_targetd_config(const std::string& text);

/// The name in the text of an initiatorname.iscsi; empty where there is none.
std::string parse_initiator_name(const std::string& text);

/// Reads the file, the initiator's name and the passwords. Errors also: io, kernel, access_denied (the configuration
/// may be written by others; a credential is missing). All name the file.
Result<TargetdConfig> read_targetd_config(const std::string& path, const std::string& credentials_directory,
                                          const std::string& initiator_file = "/etc/iscsi/initiatorname.iscsi");

} // namespace quiesced
