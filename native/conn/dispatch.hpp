// SPDX-License-Identifier: Apache-2.0
// The entry points of conn/ for engine/, and the functions of the states for dispatch.cpp.
#pragma once
#include "conn/services.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {

// For engine/.
void admit(Services& s, const Arrival& arrival);  // takes the socket, passes it on or sheds it
void on_completion(Services& s, const ring::Completion& completion);
void run_ready(Services& s);      // connections that yielded
void run_ticks(Services& s);      // connections whose tick is due
void run_deadlines(Services& s);  // connections whose deadline has passed
// Closes idle connections; the others end after their response, new ones after their first, for
// which they have kFirstRequestMs.
void begin_stop(Services& s);
void take_signatures(Services& s);  // after Services::signed_inbox was told of an arrival
void abort_all(Services& s);
int next_timeout_ms(const Services& s);  // -1: nothing is due

// For want of descriptors: ends a connection that only occupies one. False: there is none.
bool make_room(Services& s);

// For the states.
void run(Services& s, Connection& c);  // until it must wait, or has had its turn
void enter(Services& s, Connection& c, State next);
// Between two turns; in the builds of the native tests and of the fuzzers. A service that is only
// untidy inside goes on.
#ifdef SPLICED_CHECK_INVARIANTS
void assert_invariants(const Connection& c);
#else
inline void assert_invariants(const Connection&) {}
#endif
void abort(Services& s, Connection& c, Ending ending);  // sever, then join
void begin_close(Services& s, Connection& c);           // the ordinary end: drain
void begin_head(Services& s, Connection& c);            // the first bytes of a request are here
Turn finish_response(Services& s, Request& r);          // its last byte is out
void observe(Services& s, Connection& c);  // ask the kernel, bring the ledger up to date
// The brake. True: with so many more bytes, more than the window would be pending in the TLS layer;
// come back after a tick.
bool over_window(Services& s, Connection& c, size_t more_bytes);
// With kernel TLS: as many records as one key may encrypt (RFC 8446 5.5), and there is no other.
// Where the kernel takes new keys, they are due.
bool record_limit_reached(Services& s, Connection& c);
// stuck.cpp: is it the cipher alone that holds bytes back, and for how long already?
void watch_cipher(Services& s, Connection& c, const os::TcpCounters& tcp);
void report_stuck(Services& s, Connection& c, bool stuck);
void report_pending(Services& s, Connection& c, uint64_t bytes);
ring::Token token_of(const Connection& c, ring::Kind kind);

// One function a state, in its own file. Those of a request:
Turn receive_upload(Services& s, Request& r);
Turn open_file(Services& s, Request& r);
Turn connect_to_upstream(Services& s, Request& r);
Turn exchange(Services& s, Request& r);
Turn tunnel(Services& s, Request& r);
Turn splice(Services& s, Request& r);
// Those of the transport, and what HTTP/1.1 reads and writes over it:
Turn handshake(Services& s, Connection& c);
Turn fail_handshake(Services& s, Connection& c, tls::HandshakeFailure reason);
Turn read_head(Services& s, Connection& c);
Turn read_body(Services& s, Connection& c);
Turn respond(Services& s, Connection& c);
Turn streams(Services& s, Connection& c);  // HTTP/2
Turn close_notify(Services& s, Connection& c);
Turn settle(Services& s, Connection& c);
Turn linger(Services& s, Connection& c);
Turn join(Services& s, Connection& c);

// HTTP/2, for dispatch.cpp. What the ring has done for one of its streams: the connection that is
// to be run, or null for a stream that is gone.
Connection* on_stream_operation(Services& s, const ring::Completion& completion,
                                void (*take)(Request&, const ring::Completion&));
void tick_streams(Connection& c);
void queue_stream(Stream& stream);  // to be run with its connection
Turn finish_stream_response(Services& s, Stream& stream);
void on_http2_deadline(Services& s, Connection& c);
// From now on something is being sent to the peer: c.times.stall_due_ms is when it is judged.
void start_stall_clock(const Services& s, Connection& c);
// It was time to judge: the deadline moves, or the peer is given up.
void extend_or_abort(Services& s, Connection& c, uint32_t interval_ms);
// signature.cpp: a handshake's wait for a key that is not in memory.
Turn begin_signature(Services& s, Connection& c);
Turn wait_for_signature(Services& s, Connection& c);
void end_signature(Services& s, Connection& c, bool overdue);  // it is not waited for any more
Turn fail_signature(Services& s, Connection& c);               // with an alert

// deadline.cpp: what a state does when its time is over.
void on_deadline(Services& s, Connection& c);

}  // namespace spliced::conn
