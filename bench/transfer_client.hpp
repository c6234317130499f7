// SPDX-License-Identifier: Apache-2.0
// The client of transfer_probe.cpp: a closed loop over one connection, in a child process. It
// counts the plaintext in the records that come and decrypts nothing.
#pragma once
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "transfer_methods.hpp"

// Reads records until `plaintext` bytes of application data have come; returns how many records.
class RecordReader {
 public:
  explicit RecordReader(int socket) : socket_(socket) {}

  // False when the server has closed. TLS 1.3: a record of length n carries n - 17 bytes.
  bool read_response(size_t plaintext, uint64_t* records) {
    while (plaintext > 0) {
      if (body_left_ > 0) {
        if (!fill()) return false;
        const size_t step = std::min(body_left_, end_ - begin_);
        begin_ += step;
        body_left_ -= step;
        continue;
      }
      while (end_ - begin_ < 5)
        if (!fill_more()) return false;
      const unsigned char* header = reinterpret_cast<unsigned char*>(buffer_) + begin_;
      body_left_ = header[3] << 8 | header[4];
      begin_ += 5;
      plaintext -= body_left_ - 17;
      ++*records;
    }
    while (body_left_ > 0) {
      if (!fill()) return false;
      const size_t step = std::min(body_left_, end_ - begin_);
      begin_ += step;
      body_left_ -= step;
    }
    return true;
  }

 private:
  bool fill() { return begin_ < end_ || fill_more(); }
  bool fill_more() {
    memmove(buffer_, buffer_ + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    const ssize_t got = recv(socket_, buffer_ + end_, sizeof buffer_ - end_, 0);
    if (got > 0) end_ += got;
    return got > 0;
  }

  int socket_;
  char buffer_[256 * 1024];
  size_t begin_ = 0, end_ = 0, body_left_ = 0;
};

// Runs in the child: one connection an order (the plaintext bytes of a response), which lasts until
// the server closes it; answers with the number of records of all complete responses.
inline void run_client(const struct sockaddr_in& address, int orders, int answers) {
  size_t plaintext_bytes;
  while (read(orders, &plaintext_bytes, sizeof plaintext_bytes) == sizeof plaintext_bytes) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    check(connect(fd, reinterpret_cast<const struct sockaddr*>(&address), sizeof address),
          "connect");
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    auto reader = std::make_unique<RecordReader>(fd);
    const char request[kRequestBytes] = {};
    uint64_t records = 0;
    do {
      check(send(fd, request, sizeof request, MSG_NOSIGNAL), "send request");
    } while (reader->read_response(plaintext_bytes, &records));
    check(write(answers, &records, sizeof records), "answer");
    close(fd);
  }
  exit(0);
}
