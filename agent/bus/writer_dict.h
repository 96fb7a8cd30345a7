// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "bus/dict.h"
#include "sequence/set_manager.h"

namespace quiesced {

/// A configured writer as ListWriters has it (dbus/org.quiesced1.Manager.xml).
Dict writer_to_dict(const WriterStatus& status);

} // namespace quiesced
