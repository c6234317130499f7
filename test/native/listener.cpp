// SPDX-License-Identifier: Apache-2.0
// os::open_listener and retire_listener on real sockets: what is bound, what is taken over, what is
// refused, and that a retired port is free although the service manager still holds a duplicate.
#include "os/listener.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

using namespace spliced::os;

namespace {

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

Fd bound(int type) {
  Fd fd(::socket(AF_INET, type, 0));
  const sockaddr_in address = loopback(0);
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

// As a service manager makes it: blocking, and inherited.
Fd listening() {
  Fd fd = bound(SOCK_STREAM);
  REQUIRE(::listen(fd.get(), 8) == 0);
  return fd;
}

bool reachable(uint16_t port) {
  const Fd client(::socket(AF_INET, SOCK_STREAM, 0));
  const sockaddr_in address = loopback(port);
  return ::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

TEST_CASE("an address is bound, with any free port for 0") {
  Listener listener;
  std::string error;
  REQUIRE(open_listener({"127.0.0.1", 0}, listener, error));
  CHECK(listener.bound.address == "127.0.0.1");
  CHECK(listener.bound.port != 0);
  CHECK(listener.bound.fd == listener.fd.get());
  CHECK(reachable(listener.bound.port));
  Listener second;
  CHECK_FALSE(open_listener({"127.0.0.1", listener.bound.port}, second, error));
  CHECK(error.find("another program has this port") != std::string::npos);
}

TEST_CASE("a listening socket is taken over, non-blocking and closed at exec") {
  Fd inherited = listening();
  const int fd = inherited.get();
  Listener listener;
  std::string error;
  REQUIRE(open_listener({"", 0, fd}, listener, error));
  inherited.release();  // the listener's now
  CHECK(listener.fd.get() == fd);
  CHECK(listener.bound.address == "127.0.0.1");
  CHECK(reachable(listener.bound.port));
  CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
  CHECK(::fcntl(fd, F_GETFD) == FD_CLOEXEC);
}

TEST_CASE("anything but a listening TCP socket is refused, and stays the caller's") {
  Fd unix_socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  Fd datagram = bound(SOCK_DGRAM);
  Fd silent = bound(SOCK_STREAM);
  Fd file(::open("/dev/null", O_RDONLY));
  const int closed = 1000;
  for (int fd : {unix_socket.get(), datagram.get(), silent.get(), file.get(), closed}) {
    CAPTURE(fd);
    Listener listener;
    std::string error;
    CHECK_FALSE(open_listener({"", 0, fd}, listener, error));
    CHECK(error.find("descriptor " + std::to_string(fd)) != std::string::npos);
    CHECK_FALSE(retire_listener(fd));
    if (fd != closed) CHECK(::fcntl(fd, F_GETFD) >= 0);
  }
}

TEST_CASE("the port of a retired listener is free, whoever holds a duplicate") {
  Listener listener;
  std::string error;
  REQUIRE(open_listener({"127.0.0.1", 0}, listener, error));
  const uint16_t port = listener.bound.port;
  const Fd store(::dup(listener.fd.get()));
  CHECK(retire_listener(listener.fd.release()));
  CHECK_FALSE(reachable(port));
  Listener next;
  CHECK(open_listener({"0.0.0.0", port}, next, error));
  CHECK(reachable(port));
}
