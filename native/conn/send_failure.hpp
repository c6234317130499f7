// SPDX-License-Identifier: Apache-2.0
// Whether the peer or the cipher caused a failed send. For the states that send.
#pragma once
#include "conn/services.hpp"

namespace spliced::conn {

// Decides by the errno of the failed call, or by TCP's own state: if the tx work finds a reset
// connection, it reports EBADMSG as for a failed cipher (net/tls/tls_main.c: tls_tx_records,
// tls_err_abort).
bool peer_is_gone(const Connection& c, int error);

// Aborts with the right ending. Counts the failure if the cipher caused it.
Turn give_up_sending(Services& s, Connection& c, int error);

}  // namespace spliced::conn
