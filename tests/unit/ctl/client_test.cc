// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/client.h"

#include <gtest/gtest.h>

namespace quiesced {
namespace {

TEST(Client, AMissingDaemonIsToldFromItsRefusal) {
    EXPECT_TRUE(means_unreachable("org.freedesktop.DBus.Error.ServiceUnknown"));
    EXPECT_TRUE(means_unreachable("org.freedesktop.DBus.Error.Spawn.ChildExited"));
    EXPECT_TRUE(means_unreachable("org.freedesktop.systemd1.NoSuchUnit"));
    EXPECT_FALSE(means_unreachable("org.freedesktop.DBus.Error.AccessDenied"));
    EXPECT_FALSE(means_unreachable("org.freedesktop.DBus.Error.UnknownObject"));
    EXPECT_FALSE(means_unreachable("org.quiesced1.Error.Lost"));
}

TEST(Client, ABusThatIsNotThereIsUnreachable) {
    const auto client = Client::connect({.bus = "unix:path=/nowhere/bus", .host = {}, .machine = {}});
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error().code, ExitCode::unreachable);
    EXPECT_NE(client.error().message.find("unix:path=/nowhere/bus"), std::string::npos);
}

TEST(Client, AMachinesNameIsNoPartOfAnotherAddress) {
    for (const auto* name : {"a;unix:path=/x", "a b", "a,b=c", "a/b", "a%2f"}) {
        const auto client = Client::connect({.bus = "system", .host = {}, .machine = name});
        ASSERT_FALSE(client);
        EXPECT_EQ(client.error().code, ExitCode::usage) << name;
    }
}

} // namespace
} // namespace quiesced
