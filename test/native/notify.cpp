// SPDX-License-Identifier: Apache-2.0
// os::notify against real datagram sockets: both kinds of addresses, descriptors, and every
// refusal.
#include "os/notify.hpp"

#include <doctest/doctest.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "os/fd.hpp"

using spliced::os::Fd;
using spliced::os::notify;

namespace {

struct Message {
  std::string text;
  std::vector<Fd> descriptors;
};

// The service manager's end.
class Manager {
 public:
  explicit Manager(const std::string& address) : fd_(::socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un own{};
    own.sun_family = AF_UNIX;
    memcpy(own.sun_path, address.data(), address.size());
    const bool is_abstract = address[0] == '@';
    if (is_abstract) own.sun_path[0] = '\0';
    const size_t length =
        offsetof(sockaddr_un, sun_path) + address.size() + (is_abstract ? 0u : 1u);
    REQUIRE(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&own), static_cast<socklen_t>(length)) ==
            0);
  }

  Message receive() {
    char text[8192];
    alignas(cmsghdr) char control[1024];
    iovec body{text, sizeof text};
    msghdr header{};
    header.msg_iov = &body;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    const ssize_t bytes = ::recvmsg(fd_.get(), &header, MSG_DONTWAIT);
    REQUIRE(bytes >= 0);
    Message message{std::string(text, static_cast<size_t>(bytes)), {}};
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
      const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < count; i++) {
        int fd = -1;
        memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
        message.descriptors.emplace_back(fd);
      }
    }
    return message;
  }

 private:
  Fd fd_;
};

struct Directory {
  Directory() { REQUIRE(::mkdtemp(path) != nullptr); }
  ~Directory() {
    ::unlink(socket().c_str());
    ::rmdir(path);
  }
  std::string socket() const { return std::string(path) + "/notify"; }
  char path[32] = "/tmp/spliced-notify-XXXXXX";
};

}  // namespace

TEST_CASE("a message arrives as it is, at a path and at an abstract name") {
  const Directory directory;
  for (const std::string& address :
       {directory.socket(), "@spliced-notify-" + std::to_string(::getpid())}) {
    CAPTURE(address);
    Manager manager(address);
    CHECK(notify(address, "READY=1\nSTATUS=two words", {}) == 0);
    const Message message = manager.receive();
    CHECK(message.text == "READY=1\nSTATUS=two words");
    CHECK(message.descriptors.empty());
  }
}

TEST_CASE("descriptors go with it, as duplicates in their order") {
  const Directory directory;
  Manager manager(directory.socket());
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const Fd read_end(ends[0]), write_end(ends[1]);
  CHECK(notify(directory.socket(), "FDSTORE=1\nFDNAME=a", {ends[0], ends[1]}) == 0);
  const Message message = manager.receive();
  REQUIRE(message.descriptors.size() == 2);
  CHECK(::write(message.descriptors[1].get(), "x", 1) == 1);
  char byte = 0;
  CHECK(::read(read_end.get(), &byte, 1) == 1);
  CHECK(byte == 'x');
}

TEST_CASE("what cannot be sent is an errno, at once") {
  const Directory directory;
  CHECK(notify(directory.socket(), "READY=1", {}) == ENOENT);
  CHECK(notify("@spliced-nobody-listens-here", "READY=1", {}) == ECONNREFUSED);
  for (const char* address : {"", "/", "@", "relative", "vsock:2:1"}) {
    CAPTURE(address);
    CHECK(notify(address, "READY=1", {}) == EINVAL);
  }
  CHECK(notify("/" + std::string(107, 'a'), "READY=1", {}) == EINVAL);
  CHECK(notify("/" + std::string(106, 'a'), "READY=1", {}) == ENOENT);

  Manager manager(directory.socket());
  CHECK(notify(directory.socket(), "", {}) == EINVAL);
  CHECK(notify(directory.socket(), std::string(4097, 'a'), {}) == EINVAL);
  CHECK(notify(directory.socket(), "FDSTORE=1", std::vector<int>(65, 0)) == EINVAL);
  CHECK(notify(directory.socket(), "FDSTORE=1", {-1}) == EBADF);
  // Nobody reads: the queue (net.unix.max_dgram_qlen) is full some day, and nothing blocks.
  int error = 0;
  for (int i = 0; i < 100'000 && error == 0; i++) error = notify(directory.socket(), "A=1", {});
  CHECK(error == EAGAIN);
}
