// SPDX-License-Identifier: LGPL-2.1-or-later
// The files that an installation gives to the bus and to polkit: closed but for what is listed.
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

#include "sim_fixture.h"

namespace quiesced {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

/// As the system bus has it (/usr/share/dbus-1/system.conf), and our own file on top.
constexpr const char* kSystemRules = R"(
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
  </policy>
  <include>)" QUIESCED_SOURCE_ROOT R"(/dbus/org.quiesced1.conf</include>)";

class BusPolicy : public Simulated {
protected:
    BusPolicy() {
        bus_.reset();
        bus_ = std::make_unique<PrivateBus>(folder_, kSystemRules);
        start();
    }
};

TEST_F(BusPolicy, EveryInterfaceOfOursReachesTheDaemonWhichThenAsks) {
    SetClient set(*requestor_, ManagerClient(*requestor_).CreateSet({"/srv/data"}, {}));
    const std::string job = set.StartRevert({}, {});
    const std::string path = "/org/quiesced1/set/" + set.Id();
    for (const auto& [object, interface, method] : {std::tuple<std::string, const char*, const char*>{"/org/quiesced1", "org.quiesced1.Manager", "ListSets"},
                                                    {path, "org.quiesced1.SnapshotSet", "Prepare"}, {job, "org.quiesced1.Job", "Cancel"}})
        EXPECT_THAT(call_as_nobody(object, interface, {method, "a{sv}", "0"}).errors, HasSubstr("user 65534 may not")) << interface;
    EXPECT_EQ(as_nobody({"get-property", kService, path, "org.quiesced1.SnapshotSet", "State"}).output, "s \"new\"\n");
}

TEST_F(BusPolicy, NothingElseDoesAndNobodyElseOffersTheService) {
    const auto rejected = AllOf(HasSubstr("Access denied"), Not(HasSubstr("may not")));
    EXPECT_THAT(call_as_nobody("/org/quiesced1", "org.quiesced1.Other", {"Method"}).errors, rejected);
    EXPECT_THAT(call_as_nobody("/org/quiesced1", "org.freedesktop.DBus.ObjectManager", {"GetManagedObjects"}).errors, rejected);
    const auto owned = as_nobody({"call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName", "su", "org.quiesced1", "0"});
    EXPECT_EQ(owned.status, 1);
    EXPECT_THAT(owned.errors, AnyOf(HasSubstr("not allowed to own"), HasSubstr("Access denied")));
}

TEST(PolkitPolicy, OnlyAnActiveUsersLookIsFree) {
    std::stringstream text;
    text << std::ifstream(QUIESCED_SOURCE_ROOT "/dbus/org.quiesced1.policy").rdbuf();
    const auto file = text.str();
    std::map<std::string, std::string> found;
    const std::regex action(R"re(<action id="org\.quiesced1\.(\w+)">[^]*?<allow_any>(\w+)</allow_any>\s*<allow_inactive>(\w+)</allow_inactive>\s*<allow_active>(\w+)</allow_active>)re");
    for (std::sregex_iterator at(file.begin(), file.end(), action), end; at != end; ++at) found[(*at)[1]] = (*at)[2].str() + " " + (*at)[3].str() + " " + (*at)[4].str();
    const std::map<std::string, std::string> expected{{"inspect", "auth_admin auth_admin yes"},
                                                      {"snapshot", "auth_admin auth_admin auth_admin_keep"},
                                                      {"delete", "auth_admin auth_admin auth_admin_keep"},
                                                      {"revert", "auth_admin auth_admin auth_admin"},
                                                      {"configure", "auth_admin auth_admin auth_admin"}};
    EXPECT_EQ(found, expected);
}

} // namespace
} // namespace quiesced
