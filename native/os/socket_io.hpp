// SPDX-License-Identifier: Apache-2.0
// The system calls of the data path, one function each, all non-blocking. Sockets are O_NONBLOCK
// always: with blocking flags the kernel's tx work sleeps holding tx_lock (net/tls/tls_sw.c).
// Native tests link test/native/fakes/socket_io.cpp in place of socket_io.cpp.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace spliced::os {

enum class Io : uint8_t { Done, WouldBlock, Eof, Failed };

// What one call moved. `bytes` counts only for Done; `error` is an errno, only for Failed.
struct Moved {
  Io io = Io::Done;
  size_t bytes = 0;
  int error = 0;
};

// TLS ContentType (RFC 8446 5.1), as the kernel reports it in TLS_GET_RECORD_TYPE.
enum class RecordType : uint8_t {
  ChangeCipherSpec = 20,
  Alert = 21,
  Handshake = 22,
  ApplicationData = 23,
};

struct Received {
  Io io = Io::Done;
  RecordType type = RecordType::ApplicationData;
  size_t bytes = 0;  // Done with 0 bytes: an empty record (RFC 8446 5.1 allows them)
  int error = 0;
};

// One recvmsg on a kernel-TLS socket: data, or one control record, never both.
Received receive_record(int socket, char* out, size_t capacity);

// One recv on any socket: bytes, whatever they are.
Received receive_plain(int socket, char* out, size_t capacity);
// The same bytes will be received again (MSG_PEEK).
Received peek_plain(int socket, char* out, size_t capacity);

// Plaintext to the socket. `more`: the record may stay open for what follows (MSG_MORE).
Moved send_bytes(int socket, const char* data, size_t bytes, bool more);
// Two pieces of plaintext, one behind the other; nothing follows them.
Moved send_two(int socket, std::string_view first, std::string_view second);

// One whole control record. EINPROGRESS is Done: the record was taken (asynchronous cipher).
Moved send_control(int socket, RecordType type, const void* payload, size_t bytes);

// Page cache to socket. May block on the disk: only for what is resident (files/residency.hpp). The
// last record is closed, and left to the cipher; Done with fewer bytes when the socket is full.
Moved file_to_socket(int file, uint64_t offset, int socket, size_t bytes);
// Socket to pipe, of any kind of socket. WouldBlock when the socket has nothing, and when the pipe
// has no place for it. Failed with EINVAL for a control record, which is still there to be
// received. With kernel TLS it is what is left of one data record, only where
// KernelSupport::splices_received, and the pipe must have limits::kPipePlacesPerRecord free places:
// what does not fit is lost (docs/KERNEL.md).
Moved socket_to_pipe(int socket, int pipe_write_end, size_t bytes);
// Pipe to socket. `more` as for send_bytes; never on the last piece of a body.
Moved pipe_to_socket(int pipe_read_end, int socket, size_t bytes, bool more);
Moved pipe_to_memory(int pipe_read_end, char* out, size_t bytes);

// WouldBlock: the pipe is full.
Moved memory_to_pipe(int pipe_write_end, const char* data, size_t bytes);

// Reads only what is in the page cache (RWF_NOWAIT): WouldBlock when it is not, and Failed with
// EOPNOTSUPP where the file system cannot tell.
Moved read_cached(int file, uint64_t offset, char* out, size_t bytes);
// Reads, from the disk if it must.
Moved read_file(int file, uint64_t offset, char* out, size_t bytes);
// The file system has no disk (tmpfs, ramfs).
bool is_in_memory(int file);

// TCP's own figures, as the ledger needs them. `accepted` is what the peer acknowledged plus what
// the send queue holds. It is not taken from tcpi_bytes_sent: that counts a segment again when the
// local qdisc dropped it (net/ipv4/tcp_output.c: __tcp_transmit_skb), and a ledger that believes it
// is empty too early loses data. The send queue is read last, so that an acknowledgement between
// the two makes `accepted` too small, never too large.
struct TcpCounters {
  uint64_t accepted = 0;  // bytes written to TCP, our FIN included
  uint64_t acked = 0;     // bytes that the peer's TCP has acknowledged
  bool closed = false;    // the connection is gone (TCP_CLOSE)
  bool idle = false;      // nothing is in flight: no acknowledgement will come and wake anything
  bool unpushed = false;  // ... and yet bytes wait to be sent
};
bool tcp_counters(int socket, TcpCounters& out);
// What one call can tell of `accepted`: what is acknowledged and what waits to be sent (TCP_INFO).
// Less than the truth by what is in flight. 0 on error.
uint64_t tcp_accepted_at_least(int socket);

// Makes TCP send what the window allows (setting TCP_NODELAY calls tcp_push_pending_frames) and the
// TLS layer hand it what is ready (setting TCP_NOTSENT_LOWAT calls sk_write_space, which schedules
// the tx work).
void push_pending(int socket);

// Bytes that the peer has not acknowledged, our FIN included (SIOCOUTQ). Negative on error.
int unacknowledged_bytes(int socket);

// Forgets the socket's pending error (SO_ERROR): after a bad record the kernel refuses to send, and
// the alert that tells the peer why would not go out.
void clear_error(int socket);
void half_close(int socket);  // our FIN
// Gives the connection up: no more sends, and the close that follows resets it (SO_LINGER 0).
void sever(int socket);
bool peer_is_loopback(int socket);
// How fast TCP may send from here on, in bytes a second (SO_MAX_PACING_RATE, socket(7); TCP paces
// by itself where no queueing discipline does, Linux 4.13); 0: as fast as it goes.
void set_rate_max(int socket, uint64_t bytes_per_s);
// Whom a connection counts for: an IPv4 address by itself, IPv6 by its /64, for the
// smallest site has a whole one (RFC 6177). All zero when the peer is gone.
struct ClientKey {
  uint64_t high = 0, low = 0;
  bool operator==(const ClientKey& other) const { return high == other.high && low == other.low; }
};
ClientKey client_key(int socket);
// The peer is this very host (both ends have the same address), at this port.
bool peer_is_own_port(int socket, uint16_t port);
// "192.0.2.1" or "2001:db8::1"; empty when the peer is gone.
std::string peer_address(int socket);
// "192.0.2.1:4711" or "[2001:db8::1]:4711", for the log; empty when the peer is gone.
std::string peer_name(int socket);

}  // namespace spliced::os
