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

// Result of one call. `bytes` is valid for Done alone, `error` (an errno) for Failed alone.
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

// One recv on any socket, without regard to TLS.
Received receive_plain(int socket, char* out, size_t capacity);
// As receive_plain, but leaves the bytes in the socket (MSG_PEEK).
Received peek_plain(int socket, char* out, size_t capacity);

// Sends plaintext. `more`: the record may stay open for what follows (MSG_MORE).
Moved send_bytes(int socket, const char* data, size_t bytes, bool more);
// Sends two pieces of plaintext, `first` before `second`, and closes the record.
Moved send_two(int socket, std::string_view first, std::string_view second);

// Sends one whole control record. EINPROGRESS becomes Done: an asynchronous cipher took the record.
Moved send_control(int socket, RecordType type, const void* payload, size_t bytes);

// Page cache to socket. May block on the disk, so only for resident pages (files/residency.hpp).
// The last record is closed and given to the cipher. Done with fewer bytes: the socket is full.
Moved file_to_socket(int file, uint64_t offset, int socket, size_t bytes);
// Socket to pipe, for any kind of socket. WouldBlock: the socket has nothing, or the pipe has no
// place. Failed with EINVAL: a control record is next; it stays to be received. With kernel TLS one
// call moves what is left of one data record. Then it may be used only where
// KernelSupport::splices_received, and the pipe must have limits::kPipePlacesPerRecord free places:
// what does not fit is lost (docs/KERNEL.md).
Moved socket_to_pipe(int socket, int pipe_write_end, size_t bytes);
// Pipe to socket. `more` as in send_bytes; never on the last piece of a body.
Moved pipe_to_socket(int pipe_read_end, int socket, size_t bytes, bool more);
Moved pipe_to_memory(int pipe_read_end, char* out, size_t bytes);

// WouldBlock: the pipe is full.
Moved memory_to_pipe(int pipe_write_end, const char* data, size_t bytes);

// Reads only from the page cache (RWF_NOWAIT). WouldBlock: the page is not there. Failed with
// EOPNOTSUPP: the file system cannot tell.
Moved read_cached(int file, uint64_t offset, char* out, size_t bytes);
// Reads, from the disk if it must.
Moved read_file(int file, uint64_t offset, char* out, size_t bytes);
// Whether the file system has no disk (tmpfs, ramfs).
bool is_in_memory(int file);

// TCP's own figures for the ledger. `accepted` is what the peer acknowledged plus what the send
// queue holds. It is not taken from tcpi_bytes_sent, which counts a segment again when the local
// qdisc dropped it (net/ipv4/tcp_output.c: __tcp_transmit_skb): a ledger that reaches zero too
// early loses data. The send queue is read last, so that an acknowledgement between the two reads
// makes `accepted` too small, never too large.
struct TcpCounters {
  uint64_t accepted = 0;  // bytes written to TCP, our FIN included
  uint64_t acked = 0;     // bytes that the peer's TCP has acknowledged
  bool closed = false;    // the connection is gone (TCP_CLOSE)
  bool idle = false;      // nothing is in flight, so no acknowledgement will wake anything
  bool unpushed = false;  // idle, and yet bytes wait to be sent
};
bool tcp_counters(int socket, TcpCounters& out);
// A lower bound of `accepted` from one call (TCP_INFO): what is acknowledged and what waits to be
// sent, without what is in flight. 0 on error.
uint64_t tcp_accepted_at_least(int socket);

// The shortest round trip that TCP has seen on this connection (tcpi_min_rtt), at the latest that of
// its own handshake. 0 on error.
uint32_t round_trip_us(int socket);

// Makes TCP send what the window allows (setting TCP_NODELAY calls tcp_push_pending_frames) and the
// TLS layer hand it what is ready (setting TCP_NOTSENT_LOWAT calls sk_write_space, which schedules
// the tx work).
void push_pending(int socket);

// Bytes that the peer has not acknowledged, our FIN included (SIOCOUTQ). Negative on error.
int unacknowledged_bytes(int socket);

// Forgets the socket's pending error (SO_ERROR): after a bad record the kernel refuses to send, and
// the alert that tells the peer why would not go out.
void clear_error(int socket);
void half_close(int socket);  // sends our FIN
// Aborts the connection: nothing more is sent, and the close that follows resets it (SO_LINGER 0).
void sever(int socket);
bool peer_is_loopback(int socket);
// Limits TCP's rate from here on, in bytes a second; 0: no limit. SO_MAX_PACING_RATE, socket(7);
// TCP paces by itself where no queueing discipline does (Linux 4.13).
void set_rate_max(int socket, uint64_t bytes_per_s);
// The key under which a client's connections are counted: an IPv4 address, or the /64 of an IPv6
// address, because even the smallest site has a whole one (RFC 6177). All zero when the peer is
// gone.
struct ClientKey {
  uint64_t high = 0, low = 0;
  bool operator==(const ClientKey& other) const { return high == other.high && low == other.low; }
};
ClientKey client_key(int socket);
// Whether the peer is this very host (both ends have the same address), at this port.
bool peer_is_own_port(int socket, uint16_t port);
// "192.0.2.1" or "2001:db8::1"; empty when the peer is gone.
std::string peer_address(int socket);
// "192.0.2.1:4711" or "[2001:db8::1]:4711", for the log; empty when the peer is gone.
std::string peer_name(int socket);

}  // namespace spliced::os
