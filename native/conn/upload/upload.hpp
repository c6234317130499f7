// SPDX-License-Identifier: Apache-2.0
// PUT /.spliced/upload/ID: the body of a request goes into the file of a ticket
// (upload/ticket.hpp). With kernel TLS it goes socket -> pipe -> page cache by splice, otherwise
// through the input buffer into the pipe. The ring writes to the file, so this thread never waits
// for the disk. There are two pipes: one is filled while the other is written. While both are full
// nothing is read, and the client's TCP window closes. Over HTTP/2 the bytes come as DATA, and the
// stream's window opens again by what the file has taken.
#pragma once
#include <memory>
#include <string>

#include "conn/state.hpp"
#include "http/head.hpp"
#include "os/pipe_pool.hpp"
#include "os/socket_io.hpp"
#include "upload/ticket.hpp"

namespace spliced::conn {

struct Request;
struct Services;

// Part of a request in State::Receive.
struct Upload {
  struct Lane {
    os::Pipe pipe;
    size_t bytes = 0;
    unsigned used = 0;  // upper bound of the pipe's used places
  };
  // Why nothing more is read. What has arrived before is written first.
  enum class End : uint8_t {
    None,
    Whole,     // the body's last byte has arrived
    Received,  // close_notify, reset or control record of the peer, in `received`
    Refusal,   // `status` and `words` are the answer
  };

  explicit Upload(std::shared_ptr<upload::Ticket> of) : ticket(std::move(of)) {}
  ~Upload() { ticket->release(claim); }
  // Ends reading with this answer, unless it has ended for another reason before.
  void refuse(uint16_t with, std::string because);
  // Counts received bytes in the lane that is being filled.
  void took(size_t more);
  void end_body();  // the last byte has been counted
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  const std::shared_ptr<upload::Ticket> ticket;
  uint64_t claim = 0;
  uint64_t offset = 0;  // in the file, for the next write
  uint64_t left = 0;    // of the body, not in a lane yet
  Lane filling, writing;
  unsigned places = 0;     // of each lane
  bool in_flight = false;  // the ring writes from `writing`
  End end = End::None;
  os::Received received;
  uint16_t status = 0;
  std::string words;
  uint64_t bytes = 0;  // from the client; bytes_mark: at marked_ms
  uint64_t bytes_mark = 0, marked_ms = 0;
  uint64_t settle_began_ms = 0;  // 0: not begun
};

inline constexpr std::string_view kUploadPrefix = ".spliced/upload/";

// Whether the target is that of an upload.
bool is_upload(const http::RequestHead& request);
// Begins a PUT, whose head is at the front of the input. False: it is no upload, and nothing was
// done.
bool begin_upload(Services& s, Request& r, const http::RequestHead& request);
// Answers a method other than PUT for a path with kUploadPrefix.
void answer_upload(Services& s, Request& r, const http::RequestHead& request,
                   std::string_view path);
// The ring has written (State::Receive or Join): bytes, or a negative errno.
void upload_written(Request& r, int32_t result);
// The request has ended without its answer; the received bytes are written nevertheless. True: the
// ring has some of them, or was given some.
bool write_rest(Services& s, Request& r);
// The deadline has passed: checks whether the client sent at the least rate.
void on_upload_deadline(Services& s, Request& r);

// upload_input.cpp. Fills the lane with what has arrived. True: there may be more, but the turn's
// share is used up.
bool fill_upload(Services& s, Request& r);
// End::Received: handles what came.
Turn end_input(Services& s, Request& r);
// h2/upload.cpp: the same, from the content of DATA frames.
bool fill_stream_upload(Request& r);
// So many of these bytes are in the file: opens the stream's window again.
void stream_upload_written(Request& r, size_t bytes);
// Opens the stream's window wider than that of other bodies.
void widen_stream_window(Request& r);
// Whether other bodies keep the connection's window closed, so that this client cannot send.
bool connection_window_is_shut(const Request& r);
// Sends the output, a 100 (Continue). False: the state has changed, or must wait.
bool send_continue(Services& s, Request& r, Turn& turn);

// upload_answer.cpp. "STATUS Words: sentence" as text, with Upload-Offset where there is a ticket.
void respond_upload(Services& s, Request& r, uint16_t status, std::string_view sentence,
                    const upload::Ticket* ticket);
// Answers by the state of the ticket: its outcome, or 202 if more is to come.
void respond_received(Services& s, Request& r, const upload::Ticket& ticket);

}  // namespace spliced::conn
