// SPDX-License-Identifier: Apache-2.0
// The states of a connection and of its requests. dispatch.cpp has the table of allowed edges; each
// state has a file. Over HTTP/1.1 a connection is in its request's state while it has one. Over
// HTTP/2 each stream has a state of its own (conn/h2/stream.hpp).
#pragma once
#include <cstddef>
#include <cstdint>

namespace spliced::conn {

enum class State : uint8_t {
  // States of a connection.
  Free,       // the slot has no connection
  Handshake,  // handshake.cpp: OpenSSL's handshake, then the promotion
  ReadHead,   // read_head.cpp: idle, or a request head is incomplete
  ReadBody,   // read_body.cpp: a body that the route does not take is read to its end
  // With HTTP/2, where each request has a state of its own. h2/streams.cpp.
  AwaitStreams,  // no stream is open: idle
  Streams,
  // States of a request.
  Receive,   // upload.cpp: the body goes into a file
  OpenFile,  // open_file.cpp: waiting for the disk
  Connect,   // upstream_connect.cpp: connecting to a backend
  Exchange,  // exchange.cpp: a request goes to a backend, and its response to the client
  Tunnel,    // tunnel.cpp: a WebSocket; bytes pass in both directions
  Respond,   // respond.cpp: the head is sent, and a small body with it
  Splice,    // splice.cpp: the rest of the body goes from the page cache to the socket
  // States of a connection at its end.
  CloseNotify,  // drain.cpp: the last record
  Settle,       // drain.cpp: until the ledger says that TCP has every byte
  Linger,       // drain.cpp: our FIN is sent; waiting for the peer's, bounded
  Join,         // join.cpp: until the kernel holds nothing of this connection
};
inline constexpr size_t kStates = 17;
extern const char* const kStateNames[kStates];

// Result of a state's function.
enum class Turn : uint8_t {
  Again,  // run it again at once: the state changed, or there is more to do
  Wait,   // a completion, a tick or a deadline will run it again
  Yield,  // run it again after the others have had their turn
};

// Why a connection was refused before it had a slot.
enum class Shed : uint8_t {
  Slots,        // the table is full
  Address,      // the address has as many as allowed
  Handshakes,   // too many are under way
  Memory,       // OpenSSL is out of memory
  Descriptors,  // EMFILE, ENFILE: accepted only to be refused
};
inline constexpr size_t kSheds = 5;
extern const char* const kShedNames[kSheds];

// Which time-out a client has exceeded.
enum class Overdue : uint8_t { Handshake, Head, Idle, Request, Stall };
inline constexpr size_t kOverdues = 5;
extern const char* const kOverdueNames[kOverdues];

// How a backend failed.
enum class UpstreamFailure : uint8_t {
  Refused,    // connect() failed
  Connect,    // no connection in time
  Response,   // no head, or no more of the body, in time
  Closed,     // it closed before it had answered
  BadHead,    // its head is not valid, or ambiguous
  Truncated,  // its body ended early, or contradicts its framing
  Exhausted,  // no descriptor, or too many connections
};
inline constexpr size_t kUpstreamFailures = 7;
extern const char* const kUpstreamFailureNames[kUpstreamFailures];

// What an HTTP/2 client did too often. Its connection ends with ENHANCE_YOUR_CALM.
enum class Http2Flood : uint8_t {
  Frames,   // frames that ask for nothing
  Resets,   // RST_STREAM of either side
  Headers,  // a header block far larger than any head may be
  Answers,  // frames that ask for answers, which the client does not read
};
inline constexpr size_t kHttp2Floods = 4;
extern const char* const kHttp2FloodNames[kHttp2Floods];

// How a connection ended; counted when its slot is freed.
enum class Ending : uint8_t {
  None,
  Drained,    // TCP accepted every byte, and the close was ordinary
  Aborted,    // we gave up with bytes undelivered: deadline, error, stop
  PeerGone,   // the peer reset or closed before it had everything
  NotServed,  // no response was begun
};
inline constexpr size_t kEndings = 5;
extern const char* const kEndingNames[kEndings];

}  // namespace spliced::conn
