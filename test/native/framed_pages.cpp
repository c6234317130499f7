// SPDX-License-Identifier: Apache-2.0
// os::framed_pages_to_pipe by this kernel: what is read from the pipe, and where it ends when a
// file or the pipe does.
#include "os/framed_pages.hpp"

#include <doctest/doctest.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/limits.hpp"
#include "os/pipe_pool.hpp"
#include "os/stable_bytes.hpp"

using namespace spliced;
using namespace spliced::os;

namespace {

std::string text_of(size_t bytes, char first) {
  std::string text(bytes, 0);
  for (size_t i = 0; i < bytes; i++) text[i] = static_cast<char>(first + i % 251);
  return text;
}

// In memory, with this content.
Fd file_of(const std::string& content) {
  Fd file(::memfd_create("framed_pages", MFD_CLOEXEC));
  REQUIRE(::write(file.get(), content.data(), content.size()) ==
          static_cast<ssize_t>(content.size()));
  return file;
}

std::string all_of(const Pipe& pipe) {
  std::string all(1 << 20, 0);
  size_t bytes = 0;
  for (;;) {
    const ssize_t got = ::read(pipe.read_end.get(), all.data() + bytes, all.size() - bytes);
    if (got <= 0) break;
    bytes += static_cast<size_t>(got);
  }
  all.resize(bytes);
  return all;
}

const char* put(StableBytes& heads, const std::string& text) {
  char* at = heads.take(text.size());
  REQUIRE(at != nullptr);
  text.copy(at, text.size());
  return at;
}

constexpr size_t kPayload = limits::kFramePayloadBytes;

}  // namespace

TEST_CASE("pieces of several files come with their heads, in their order") {
  const std::string a = text_of(300'000, 'a'), b = text_of(100'000, 'A');
  const Fd file_a = file_of(a), file_b = file_of(b);
  const Pipe pipe = open_pipe(limits::kFramesPipeBytes);
  StableBytes heads;
  std::vector<FramedPages> pieces;
  std::string expected;
  for (size_t i = 0; i < limits::kFramesPerCall; i++) {
    const bool of_a = i % 3 != 2;
    const size_t offset = of_a ? 77 + i * kPayload : 4096 + i / 3 * kPayload;
    const std::string head = "head " + std::to_string(i) + " of";
    pieces.push_back(
        {put(heads, head), head.size(), of_a ? file_a.get() : file_b.get(), offset, kPayload});
    expected += head + (of_a ? a : b).substr(offset, kPayload);
  }
  const Moved moved = framed_pages_to_pipe(pipe.write_end.get(), pieces.data(), pieces.size());
  CHECK(moved.io == Io::Done);
  CHECK(moved.bytes == expected.size());
  CHECK(all_of(pipe) == expected);
}

TEST_CASE("a file that is shorter ends it, without a signal") {
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const Fd file = file_of(text_of(3 * page, 'a'));
  REQUIRE(::ftruncate(file.get(), static_cast<off_t>(page)) == 0);
  const Pipe pipe = open_pipe(limits::kFramesPipeBytes);
  StableBytes heads;
  const FramedPages piece = {put(heads, "head"), 4, file.get(), 0, 3 * page};
  const Moved moved = framed_pages_to_pipe(pipe.write_end.get(), &piece, 1);
  CHECK(moved.io == Io::Done);
  CHECK(moved.bytes == 4 + page);
  CHECK(all_of(pipe) == "head" + text_of(page, 'a'));
}

TEST_CASE("a pipe that is full takes what it has places for, then nothing") {
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const Fd file = file_of(text_of(8 * page, 'a'));
  const Pipe pipe = open_pipe(4 * page);
  REQUIRE(places(pipe) == 4);
  StableBytes heads;
  const FramedPages piece = {put(heads, "head"), 4, file.get(), 0, 8 * page};
  CHECK(framed_pages_to_pipe(pipe.write_end.get(), &piece, 1).bytes == 4 + 3 * page);
  CHECK(framed_pages_to_pipe(pipe.write_end.get(), &piece, 1).io == Io::WouldBlock);
}

TEST_CASE("what cannot be mapped says so") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const Fd read_end(ends[0]), write_end(ends[1]);
  const Pipe pipe = open_pipe(limits::kFramesPipeBytes);
  StableBytes heads;
  const FramedPages piece = {put(heads, "head"), 4, read_end.get(), 0, 4096};
  const Moved moved = framed_pages_to_pipe(pipe.write_end.get(), &piece, 1);
  CHECK(moved.io == Io::Failed);
  CHECK(moved.error == ENODEV);
}

TEST_CASE("bytes stay as they are while a pipe has them, whatever is written behind them") {
  const Fd file = file_of(text_of(4096, 'a'));
  std::vector<Pipe> pipes;
  {
    StableBytes heads;
    for (int i = 0; i < 2000; i++) {  // several pages of heads
      const std::string head = "head " + std::to_string(1000 + i);
      const char* kept = put(heads, head);
      if (i % 500 != 3) continue;
      const FramedPages piece = {kept, head.size(), file.get(), 0, 1};
      pipes.push_back(open_pipe(limits::kFramesPipeBytes));
      REQUIRE(framed_pages_to_pipe(pipes.back().write_end.get(), &piece, 1).bytes == 10);
    }
  }
  REQUIRE(pipes.size() == 4);
  for (size_t i = 0; i < pipes.size(); i++)
    CHECK(all_of(pipes[i]) == "head " + std::to_string(1003 + 500 * i) + "a");
}
