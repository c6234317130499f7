// SPDX-License-Identifier: Apache-2.0
// PUT /.spliced/upload/ID: the body of a request into the file of a ticket (upload/ticket.hpp).
// With kernel TLS it goes socket -> pipe -> page cache by splice, otherwise through the input
// buffer into the pipe. The write to the file is the ring's: this thread never waits for the disk.
// Two pipes change places, so that one is filled while the other is written; nothing is read while
// both are full, and the client's TCP window closes. Over HTTP/2 the bytes come as DATA, and the
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

// What a connection has while it is in State::Receive.
struct Upload {
  struct Lane {
    os::Pipe pipe;
    size_t bytes = 0;
    unsigned used = 0;  // places of the pipe, at most
  };
  // Why nothing more is read. What has come is written first.
  enum class End : uint8_t {
    None,
    Whole,     // the body's last byte is here
    Received,  // the peer's goodbye, reset or control record; `received` has it
    Refusal,   // `status` and `words` are the answer
  };

  explicit Upload(std::shared_ptr<upload::Ticket> of) : ticket(std::move(of)) {}
  ~Upload() { ticket->release(claim); }
  // Nothing more is read: the answer, unless something else came before.
  void refuse(uint16_t with, std::string because);
  // So much of the body is in the lane that is being filled.
  void took(size_t more);
  void end_body();  // ... and that was all
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  const std::shared_ptr<upload::Ticket> ticket;
  uint64_t claim = 0;
  uint64_t offset = 0;  // in the file, of the next write
  uint64_t left = 0;    // of the body, not in a lane yet
  Lane filling, writing;
  unsigned places = 0;     // of each lane
  bool in_flight = false;  // the ring writes from `writing`
  End end = End::None;
  os::Received received;
  uint16_t status = 0;
  std::string words;
  uint64_t bytes = 0;  // taken from the client; bytes_mark: at marked_ms
  uint64_t bytes_mark = 0, marked_ms = 0;
  uint64_t settle_began_ms = 0;  // 0: it has not come to that
};

inline constexpr std::string_view kUploadPrefix = ".spliced/upload/";

// The target is an upload's.
bool is_upload(const http::RequestHead& request);
// A PUT, its head at the front of the input. False: it is not for an upload, and nothing was done.
bool begin_upload(Services& s, Request& r, const http::RequestHead& request);
// What is not a PUT, for a path with kUploadPrefix.
void answer_upload(Services& s, Request& r, const http::RequestHead& request,
                   std::string_view path);
// The ring has written (State::Receive or Join): bytes, or a negative errno.
void upload_written(Request& r, int32_t result);
// The request is over, and not by its answer: what has come of it is written nevertheless. True:
// the ring has, or was given, some of it.
bool write_rest(Services& s, Request& r);
// Its time is over: did the client send at the least rate?
void on_upload_deadline(Services& s, Request& r);

// upload_input.cpp. Fills the lane with what there is. True: there may be more, but it was enough
// for one turn.
bool fill_upload(Services& s, Request& r);
// End::Received: what came is dealt with.
Turn end_input(Services& s, Request& r);
// h2/upload.cpp: the same, from what DATA has brought.
bool fill_stream_upload(Request& r);
// So much of that is in the file: its window opens again.
void stream_upload_written(Request& r, size_t bytes);
// More may come at once than of other bodies.
void widen_stream_window(Request& r);
// Others' bodies keep the connection's window shut: its client cannot send.
bool connection_window_is_shut(const Request& r);
// Sends what is in the output: 100 (Continue). False: the state has changed, or must wait.
bool send_continue(Services& s, Request& r, Turn& turn);

// upload_answer.cpp. "STATUS Words: sentence" as text, with Upload-Offset where there is a ticket.
void respond_upload(Services& s, Request& r, uint16_t status, std::string_view sentence,
                    const upload::Ticket* ticket);
// Answers by what is there: the outcome, or 202 where more is to come.
void respond_received(Services& s, Request& r, const upload::Ticket& ticket);

}  // namespace spliced::conn
