// SPDX-License-Identifier: Apache-2.0
// os::framed_pages_to_pipe and os::MappedWindows by this kernel: what is read from the pipe, where
// it ends when a file or the pipe does, and what stays mapped.
#include "os/framed_pages.hpp"

#include <doctest/doctest.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "base/limits.hpp"
#include "os/mapped_windows.hpp"
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

// One call, with windows of its own.
Moved to_pipe(const Pipe& pipe, const std::vector<FramedPages>& pieces) {
  MappedWindows windows;
  windows.begin_call(0);
  return framed_pages_to_pipe(pipe.write_end.get(), windows, pieces.data(), pieces.size());
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
    pieces.push_back({put(heads, head), head.size(), of_a ? file_a.get() : file_b.get(),
                      of_a ? 1U : 2U, offset, kPayload});
    expected += head + (of_a ? a : b).substr(offset, kPayload);
  }
  const Moved moved = to_pipe(pipe, pieces);
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
  const FramedPages piece = {put(heads, "head"), 4, file.get(), 1, 0, 3 * page};
  const Moved moved = to_pipe(pipe, {piece});
  CHECK(moved.io == Io::Done);
  CHECK(moved.bytes == 4 + page);
  CHECK(all_of(pipe) == "head" + text_of(page, 'a'));
}

TEST_CASE("a pipe that is full takes what it has places for, then nothing") {
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const Fd file = file_of(text_of(4 * page, 'a'));
  const Pipe pipe = open_pipe(4 * page);
  REQUIRE(places(pipe) == 4);
  StableBytes heads;
  const FramedPages piece = {put(heads, "head"), 4, file.get(), 1, 0, 4 * page};
  CHECK(to_pipe(pipe, {piece}).bytes == 4 + 3 * page);
  CHECK(to_pipe(pipe, {piece}).io == Io::WouldBlock);
}

TEST_CASE("what cannot be mapped says so") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const Fd read_end(ends[0]), write_end(ends[1]);
  const Pipe pipe = open_pipe(limits::kFramesPipeBytes);
  StableBytes heads;
  const FramedPages piece = {put(heads, "head"), 4, read_end.get(), 1, 0, 4096};
  const Moved moved = to_pipe(pipe, {piece});
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
      const FramedPages piece = {kept, head.size(), file.get(), 1, 0, 1};
      pipes.push_back(open_pipe(limits::kFramesPipeBytes));
      REQUIRE(to_pipe(pipes.back(), {piece}).bytes == 10);
    }
  }
  REQUIRE(pipes.size() == 4);
  for (size_t i = 0; i < pipes.size(); i++)
    CHECK(all_of(pipes[i]) == "head " + std::to_string(1003 + 500 * i) + "a");
}

namespace {

constexpr size_t kWindow = limits::kWindowBytes;

// How many mappings of memory files this process has (proc(5)).
size_t mapped() {
  std::ifstream maps("/proc/self/maps");
  size_t count = 0;
  for (std::string line; std::getline(maps, line);)
    if (line.find("/memfd:framed_pages") != std::string::npos) count++;
  return count;
}

}  // namespace

TEST_CASE("a window serves the calls that follow, and another one what lies beyond it") {
  const Fd file = file_of(text_of(2 * kWindow, 'a'));
  MappedWindows windows;
  windows.begin_call(0);
  const char* first = windows.at(file.get(), 1, 5000, kPayload);
  CHECK(mapped() == 1);
  windows.begin_call(0);
  CHECK(windows.at(file.get(), 1, 5000 + 10 * kPayload, kPayload) == first + 10 * kPayload);
  const size_t last = 4096 + kWindow - kPayload;  // the window begins with the page of 5000
  CHECK(windows.at(file.get(), 1, last, kPayload) == first + (last - 5000));
  CHECK(mapped() == 1);
  REQUIRE(windows.at(file.get(), 1, last + 1, kPayload) != nullptr);
  REQUIRE(windows.at(file.get(), 1, 4095, kPayload) != nullptr);
  CHECK(mapped() == 3);
}

TEST_CASE("a file that has another's descriptor has windows of its own") {
  const std::string a = text_of(8192, 'a'), b = text_of(8192, 'A');
  Fd file = file_of(a);
  const int number = file.get();
  MappedWindows windows;
  const Pipe pipe = open_pipe(limits::kFramesPipeBytes);
  StableBytes heads;
  FramedPages piece = {put(heads, "head"), 4, number, 1, 0, 8192};
  windows.begin_call(0);
  REQUIRE(framed_pages_to_pipe(pipe.write_end.get(), windows, &piece, 1).io == Io::Done);
  CHECK(all_of(pipe) == "head" + a);
  file = Fd();
  file = file_of(b);
  REQUIRE(file.get() == number);
  piece.file_number = 2;
  windows.begin_call(0);
  REQUIRE(framed_pages_to_pipe(pipe.write_end.get(), windows, &piece, 1).io == Io::Done);
  CHECK(all_of(pipe) == "head" + b);
}

TEST_CASE("what was written to a file since it was mapped is what leaves") {
  const std::string before = text_of(8192, 'a'), after = text_of(8192, 'A');
  const Fd file = file_of(before);
  MappedWindows windows;
  const Pipe pipe = open_pipe(limits::kFramesPipeBytes);
  StableBytes heads;
  const FramedPages piece = {put(heads, "head"), 4, file.get(), 1, 0, 8192};
  windows.begin_call(0);
  REQUIRE(framed_pages_to_pipe(pipe.write_end.get(), windows, &piece, 1).io == Io::Done);
  CHECK(all_of(pipe) == "head" + before);
  REQUIRE(::ftruncate(file.get(), 0) == 0);
  windows.begin_call(0);
  CHECK(framed_pages_to_pipe(pipe.write_end.get(), windows, &piece, 1).bytes == 4);
  CHECK(all_of(pipe) == "head");
  REQUIRE(::pwrite(file.get(), after.data(), after.size(), 0) == 8192);
  windows.begin_call(0);
  REQUIRE(framed_pages_to_pipe(pipe.write_end.get(), windows, &piece, 1).io == Io::Done);
  CHECK(all_of(pipe) == "head" + after);
}

TEST_CASE("as many windows as one call may need; the one that was used longest ago makes room") {
  std::vector<Fd> files;
  for (size_t i = 0; i <= limits::kFramesPerCall; i++) files.push_back(file_of(text_of(4096, 'a')));
  MappedWindows windows;
  for (size_t i = 0; i < limits::kFramesPerCall; i++) {
    windows.begin_call(0);
    REQUIRE(windows.at(files[i].get(), i, 0, 4096) != nullptr);
  }
  windows.begin_call(0);
  const char* oldest = windows.at(files[0].get(), 0, 0, 4096);
  windows.begin_call(0);
  REQUIRE(windows.at(files.back().get(), limits::kFramesPerCall, 0, 4096) != nullptr);
  CHECK(mapped() == limits::kFramesPerCall);
  CHECK(windows.at(files[0].get(), 0, 0, 4096) == oldest);  // the second made room
}

TEST_CASE("what nobody has used for a while is unmapped, and all of it at the end") {
  const Fd a = file_of(text_of(4096, 'a')), b = file_of(text_of(4096, 'A'));
  {
    MappedWindows windows;
    CHECK(windows.next_sweep_ms() == UINT64_MAX);
    windows.begin_call(1'000);
    REQUIRE(windows.at(a.get(), 1, 0, 4096) != nullptr);
    CHECK(windows.next_sweep_ms() == 1'000 + limits::kWindowKeptMs);
    windows.begin_call(1'500);
    REQUIRE(windows.at(b.get(), 2, 0, 4096) != nullptr);
    windows.sweep(999 + limits::kWindowKeptMs);
    CHECK(mapped() == 2);
    windows.sweep(1'000 + limits::kWindowKeptMs);
    CHECK(mapped() == 1);
    CHECK(windows.next_sweep_ms() == 1'500 + limits::kWindowKeptMs);
    windows.sweep(1'500 + limits::kWindowKeptMs);
    CHECK(mapped() == 0);
    CHECK(windows.next_sweep_ms() == UINT64_MAX);
    windows.begin_call(9'000);
    REQUIRE(windows.at(a.get(), 1, 0, 4096) != nullptr);
    CHECK(mapped() == 1);
  }
  CHECK(mapped() == 0);
}
