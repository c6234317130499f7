// SPDX-License-Identifier: Apache-2.0
// The life of a connection and of its requests. dispatch.cpp has the table of allowed edges; each
// state has its file. Over HTTP/1.1 a connection is in its request's state while it has one; over
// HTTP/2 each stream has a state of its own (conn/h2/stream.hpp).
#pragma once
#include <cstddef>
#include <cstdint>

namespace spliced::conn {

enum class State : uint8_t {
  // The connection's.
  Free,       // the slot has no connection
  Handshake,  // handshake.cpp: OpenSSL talks; at its end promote.cpp of tls/ is asked
  ReadHead,   // read_head.cpp: idle, or a request head is incomplete
  ReadBody,   // read_body.cpp: a body that nobody wants is read to its end
  // With HTTP/2, whose requests each have a state of their own. h2/streams.cpp.
  AwaitStreams,  // no stream is open: idle
  Streams,
  // A request's.
  Receive,   // upload.cpp: a body that goes into a file
  OpenFile,  // open_file.cpp: the disk is asked
  Connect,   // upstream_connect.cpp: a backend is being connected to
  Exchange,  // exchange.cpp: a request goes to a backend, and its response to the client
  Tunnel,    // tunnel.cpp: a WebSocket; bytes pass in both directions
  Respond,   // respond.cpp: the head, and a small body with it, goes out
  Splice,    // splice.cpp: the rest of the body goes from the page cache to the socket
  // The connection's again: its end.
  CloseNotify,  // drain.cpp: the last record
  Settle,       // drain.cpp: until the ledger says that TCP has every byte
  Linger,       // drain.cpp: our FIN is out; until the peer's, bounded
  Join,         // join.cpp: until the kernel holds nothing of this connection
};
inline constexpr size_t kStates = 17;
extern const char* const kStateNames[kStates];

// What a state's function answers.
enum class Turn : uint8_t {
  Again,  // the state changed, or there is more to do at once
  Wait,   // a completion, a tick or a deadline brings it back
  Yield,  // it could go on, but others have their turn first
};

// Why a connection was refused before it had a slot.
enum class Shed : uint8_t {
  Slots,        // the table is full
  Address,      // its address has as many as one may have
  Handshakes,   // as many are in flight as may be
  Memory,       // OpenSSL has none
  Descriptors,  // EMFILE, ENFILE: it was accepted only to be refused
};
inline constexpr size_t kSheds = 5;
extern const char* const kShedNames[kSheds];

// Which of our clocks a client has run out of.
enum class Overdue : uint8_t { Handshake, Head, Idle, Request, Stall };
inline constexpr size_t kOverdues = 5;
extern const char* const kOverdueNames[kOverdues];

// What went wrong with a backend.
enum class UpstreamFailure : uint8_t {
  Refused,    // it cannot be connected to
  Connect,    // ... not in time
  Response,   // no head, or no more of the body, in time
  Closed,     // it ended before it had answered
  BadHead,    // what it answered is no head that has one meaning
  Truncated,  // the body ended early, or is not what its framing says
  Exhausted,  // no descriptor, or as many connections as may be
};
inline constexpr size_t kUpstreamFailures = 7;
extern const char* const kUpstreamFailureNames[kUpstreamFailures];

// What of HTTP/2 a client may do too often: its connection ends with ENHANCE_YOUR_CALM.
enum class Http2Flood : uint8_t {
  Frames,   // that ask for nothing
  Resets,   // of streams, by either side
  Headers,  // a header block that is far larger than any head may be
  Answers,  // it asks for answers and reads none
};
inline constexpr size_t kHttp2Floods = 4;
extern const char* const kHttp2FloodNames[kHttp2Floods];

// How a connection ended; counted when its slot is freed.
enum class Ending : uint8_t {
  None,
  Drained,    // every byte was accepted by TCP, and the close was ordinary
  Aborted,    // given up by us with bytes undelivered: deadline, error, stop
  PeerGone,   // the peer reset or closed before it had everything
  NotServed,  // never got as far as a response
};
inline constexpr size_t kEndings = 5;
extern const char* const kEndingNames[kEndings];

}  // namespace spliced::conn
