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

#include "record_reader.hpp"
#include "transfer_methods.hpp"

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
    auto reader = std::make_unique<RecordReader>(fd, 17);
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
