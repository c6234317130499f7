// SPDX-License-Identifier: Apache-2.0
// Connections of the daemon's own whose key is in a token, for the seam, which does not know tls/.
#pragma once
#include "tls/outgoing.hpp"

namespace spliced::engine {

using Outgoing = tls::Outgoing;

}  // namespace spliced::engine
