// SPDX-License-Identifier: Apache-2.0
// Whose fault a failed send is. For the states that send.
#pragma once
#include "conn/state.hpp"

namespace spliced::conn {

Ending ending_of_send_error(int error);

}  // namespace spliced::conn
