// SPDX-License-Identifier: Apache-2.0
// Whose fault a failed send is. For the states that send.
#pragma once
#include "conn/services.hpp"

namespace spliced::conn {

// By the errno of a failed call, or by TCP's own state: the tx work that finds a reset connection
// reports EBADMSG like a cipher that failed (net/tls/tls_main.c: tls_tx_records, tls_err_abort).
bool peer_is_gone(const Connection& c, int error);

// Aborts with the right ending, and counts what was the cipher's fault.
Turn give_up_sending(Services& s, Connection& c, int error);

}  // namespace spliced::conn
