// SPDX-License-Identifier: Apache-2.0
// One request and its response: what it is for, where its body goes, where the response's body
// comes from. What it came over (socket, TLS, ledger, input and output, deadlines) is its
// Connection's. Over HTTP/1.1 a connection has one at a time, in its slot; over HTTP/2 it will have
// one a stream.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/assert.hpp"
#include "conn/request/exchange_ptr.hpp"
#include "conn/request/handed_over.hpp"
#include "conn/request/parts.hpp"
#include "conn/request/site.hpp"
#include "conn/request/upload.hpp"
#include "conn/request/witness.hpp"
#include "files/file_cache.hpp"
#include "http/body.hpp"
#include "os/pipe_pool.hpp"

namespace spliced::conn {

struct Connection;
struct Stream;

enum class LookupStep : uint8_t { Target, Fallback, NotFoundPage };

// How far the search for the file of a request has come; see lookup.cpp.
struct Lookup {
  LookupStep step = LookupStep::Target;
  bool directory = false;   // the target names a directory, and the path is that of its index
  files::FilePtr original;  // found; whether a variant of it is sent is not decided yet
  http::Coding coding = http::Coding::Brotli;
  size_t path_bytes = 0;  // of Request::path, without the variant's suffix
};

struct Request {
  explicit Request(Connection& c) : connection(&c) {}
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  Connection* connection;    // what it came over
  Stream* stream = nullptr;  // HTTP/2: which of its streams; null: HTTP/1.1

  // HTTP/1.1: where it is in the connection's input.
  size_t head_bytes = 0;    // ReadBody, OpenFile: the complete head at the front of `input`
  http::BodyReader body;    // of what follows the head
  uint64_t began_ms = 0;    // when its first byte was here
  bool keep_alive = false;  // another may follow the response

  // What it is for, until its response has begun; with an exchange, until that ends.
  std::shared_ptr<OpenSite> site;
  const http::Route* route = nullptr;  // of its Site; null: none is known yet
  std::string path;                    // OpenFile: the kernel reads it until the completion
  Lookup lookup;

  bool checked = false;                // the route's check lets it pass
  std::string added_fields;            // whole lines of that check, for the backend
  ExchangePtr exchange;                // Connect, Exchange, Tunnel; null otherwise
  std::unique_ptr<Upload> upload;      // Receive: where the body goes
  std::unique_ptr<HandedOver> handed;  // a backend has named the file: until the response has ended

  // What the ring does for it: opens the path, or reads the file into the pipe.
  int32_t async_result = 0;
  bool async_done = false;
  bool filling = false;

  // The body of the response, if it is not all in the connection's output.
  files::FilePtr file;
  uint64_t body_offset = 0;     // of the next byte that is neither sent nor in pipe or output
  uint64_t body_remaining = 0;  // bytes from there on
  size_t resident_bytes = 0;    // of them, found in the page cache in this turn
  os::Pipe pipe;
  size_t pipe_bytes = 0;
  std::unique_ptr<Witness> witness;  // of `file`, once a part of its body was sent
  std::unique_ptr<Parts> parts;      // of a body with several ranges: what is still to come

  // So much of the body is sent, or in pipe or output.
  void advance(size_t bytes) {
    SPLICED_ASSERT(bytes <= body_remaining);
    body_offset += bytes;
    body_remaining -= bytes;
  }
};

}  // namespace spliced::conn
