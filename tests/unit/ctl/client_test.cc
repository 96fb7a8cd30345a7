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
    const auto client = Client::connect("unix:path=/nowhere/bus");
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error().code, ExitCode::unreachable);
    EXPECT_NE(client.error().message.find("unix:path=/nowhere/bus"), std::string::npos);
}

} // namespace
} // namespace quiesced
