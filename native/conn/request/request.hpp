// SPDX-License-Identifier: Apache-2.0
// One request and its response: its route, the destination of its body, the source of the
// response's body. What it came over (socket, TLS, ledger, input and output, deadlines) is its
// Connection's. Over HTTP/1.1 a connection has one at a time, in its slot; over HTTP/2 each stream
// has one.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/assert.hpp"
#include "conn/file/parts.hpp"
#include "conn/file/witness.hpp"
#include "conn/proxy/exchange_ptr.hpp"
#include "conn/proxy/handed_over.hpp"
#include "conn/request/site.hpp"
#include "conn/upload/upload.hpp"
#include "files/file_cache.hpp"
#include "http/body.hpp"
#include "os/pipe_pool.hpp"

namespace spliced::conn {

struct Connection;
struct Stream;

enum class LookupStep : uint8_t { Target, Fallback, NotFoundPage };

// The progress of the search for the request's file; see lookup.cpp.
struct Lookup {
  LookupStep step = LookupStep::Target;
  bool directory = false;   // the target names a directory, and the path is its index
  files::FilePtr original;  // found, but it is not decided yet whether a variant is sent
  http::Coding coding = http::Coding::Brotli;
  size_t path_bytes = 0;  // of Request::path without the variant's suffix
};

struct Request {
  explicit Request(Connection& c) : connection(&c) {}
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  Connection* connection;    // what it came over
  Stream* stream = nullptr;  // HTTP/2: its stream; null: HTTP/1.1

  // HTTP/1.1: its place in the connection's input.
  size_t head_bytes = 0;    // ReadBody, OpenFile: the complete head at the front of `input`
  http::BodyReader body;    // reader of what follows the head
  uint64_t began_ms = 0;    // when its first byte arrived
  bool keep_alive = false;  // another request may follow on the connection

  // What it is for: until its response has begun, or, with an exchange, until that ends.
  std::shared_ptr<OpenSite> site;
  const http::Route* route = nullptr;  // of its Site; null: not known yet
  std::string path;                    // OpenFile: the kernel reads it until the completion
  Lookup lookup;

  bool checked = false;            // the route's check has let it pass
  std::string added_fields;        // whole lines that the check adds, for the backend
  ExchangePtr exchange;            // Connect, Exchange, Tunnel; null otherwise
  std::unique_ptr<Upload> upload;  // Receive: the destination of the body
  // A backend has named the file; kept until the response has ended.
  std::unique_ptr<HandedOver> handed;

  // Operations of the ring for it: opens the path, or reads the file into the pipe.
  int32_t async_result = 0;
  bool async_done = false;
  bool filling = false;

  // The body of the response, unless all of it is in the connection's output.
  files::FilePtr file;
  uint64_t body_offset = 0;  // of the next byte that is neither sent nor in the pipe or the output
  uint64_t body_remaining = 0;  // bytes from there on
  size_t resident_bytes = 0;    // of these, found in the page cache in this turn
  os::Pipe pipe;
  size_t pipe_bytes = 0;
  std::unique_ptr<Witness> witness;  // of `file`, once a part of the body was sent
  std::unique_ptr<Parts> parts;      // of a body with several ranges: those that are left

  // So many bytes of the body are sent, or are in the pipe or the output.
  void advance(size_t bytes) {
    SPLICED_ASSERT(bytes <= body_remaining);
    body_offset += bytes;
    body_remaining -= bytes;
  }
  // So much of that is not.
  void take_back(size_t bytes) {
    body_offset -= bytes;
    body_remaining += bytes;
  }
};

}  // namespace spliced::conn
