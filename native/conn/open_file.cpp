// SPDX-License-Identifier: Apache-2.0
// See open_file.hpp. Two phases: c.request.file is null while the path is opened, set while the
// small body is read.
#include "conn/open_file.hpp"

#include "conn/dispatch.hpp"
#include "conn/lookup.hpp"
#include "files/residency.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {
namespace {

// A file that changed within the resolution of its time stamps could change again unseen: such a
// body is not kept.
bool worth_keeping(const files::File& file, int64_t wall_s) {
  return file.size() > 0 && file.size() <= limits::kSmallBodyBytesMax && !file.body &&
         file.identity.changed_s + limits::kSettledFileS < wall_s;
}

bool read_if_resident(files::File& file) {
  std::unique_ptr<char[]> body(new char[file.size()]);
  const os::Moved got = files::read_resident(file, 0, body.get(), file.size());
  if (got.io != os::Io::Done || got.bytes != file.size()) return false;
  file.body = std::move(body);
  return true;
}

// What the ring put into the pipe becomes the body, if it is all of it.
void take_body(Services& s, Connection& c) {
  const size_t size = c.request.file->size();
  bool whole = c.request.async_result == static_cast<int32_t>(size);
  if (whole) {
    std::unique_ptr<char[]> body(new char[size]);
    const os::Moved got = os::pipe_to_memory(c.request.pipe.read_end.get(), body.get(), size);
    whole = got.io == os::Io::Done && got.bytes == size;
    if (whole) c.request.file->body = std::move(body);
  }
  s.pipes.give(std::move(c.request.pipe), whole);
}

}  // namespace

void begin_open(Services& s, Connection& c) {
  c.request.async_done = false;
  if (c.state != State::OpenFile) enter(s, c, State::OpenFile);
  s.ring.open_file(c.request.site->files[c.request.route->directory]->root(),
                   c.request.path.c_str(), token_of(c, ring::Kind::OpenFile));
  c.inflight++;
}

bool ensure_small_body(Services& s, Connection& c, const files::FilePtr& file) {
  if (!worth_keeping(*file, s.wall_s) || read_if_resident(*file)) return true;
  c.request.pipe = s.pipes.take();
  if (!c.request.pipe) return true;
  c.request.file = file;
  c.request.async_done = false;
  if (c.state != State::OpenFile) enter(s, c, State::OpenFile);
  s.ring.fill_pipe(file->fd.get(), 0, c.request.pipe.write_end.get(), file->size(),
                   token_of(c, ring::Kind::FillPipe));
  s.figures.files.cold_fills.add();
  c.request.filling = true;
  c.inflight++;
  return false;
}

Turn open_file(Services& s, Connection& c) {
  if (!c.request.async_done) return Turn::Wait;
  c.request.async_done = false;
  if (c.request.file) {
    take_body(s, c);
    resume_body(s, c, std::move(c.request.file));
  } else {
    resume_opened(s, c, c.request.async_result);
  }
  return c.state == State::OpenFile ? Turn::Wait : Turn::Again;
}

}  // namespace spliced::conn
