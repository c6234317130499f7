// SPDX-License-Identifier: Apache-2.0
// See open_file.hpp. It has two phases: r.file is null while the path is being opened, and set
// while the small body is being read.
#include "conn/file/open_file.hpp"

#include "conn/file/lookup.hpp"
#include "conn/transport.hpp"
#include "files/residency.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {
namespace {

// A file that has just changed could change again with the same time stamps, so its body is not
// kept.
bool worth_keeping(const files::File& file, int64_t wall_s) {
  return file.size() > 0 && file.size() <= limits::kKeptBodyBytesMax && !file.body &&
         file.identity.changed_s + limits::kSettledFileS < wall_s;
}

bool read_if_resident(files::File& file, files::KeptBodies::Body& body) {
  const os::Moved got = files::read_resident(file, 0, body.get(), file.size());
  if (got.io != os::Io::Done || got.bytes != file.size()) return false;
  file.body = std::move(body);
  return true;
}

// Makes the pipe's content the body, if the ring has read all of it.
void take_body(Services& s, Request& r) {
  const size_t size = r.file->size();
  bool taken = false;
  if (r.async_result == static_cast<int32_t>(size)) {
    if (files::KeptBodies::Body body = s.kept_bodies.take(size)) {
      const os::Moved got = os::pipe_to_memory(r.pipe.read_end.get(), body.get(), size);
      taken = got.io == os::Io::Done && got.bytes == size;
      if (taken) r.file->body = std::move(body);
    }
  }
  s.pipes.give(std::move(r.pipe), taken);
}

}  // namespace

void begin_open(Services& s, Request& r) {
  r.async_done = false;
  if (state_of(r) != State::OpenFile) enter(s, r, State::OpenFile);
  s.ring.open_file(r.site->files[r.route->directory]->root(), r.path.c_str(),
                   begin_operation(r, ring::Kind::OpenFile));
}

bool ensure_small_body(Services& s, Request& r, const files::FilePtr& file) {
  if (!worth_keeping(*file, s.wall_s)) return true;
  files::KeptBodies::Body body = s.kept_bodies.take(file->size());
  if (!body || read_if_resident(*file, body)) return true;
  r.pipe = s.pipes.take();
  if (!r.pipe) return true;
  r.file = file;
  r.async_done = false;
  if (state_of(r) != State::OpenFile) enter(s, r, State::OpenFile);
  s.ring.fill_pipe(file->fd.get(), 0, r.pipe.write_end.get(), file->size(),
                   begin_operation(r, ring::Kind::FillPipe));
  s.figures.files.cold_fills.add();
  r.filling = true;
  return false;
}

Turn open_file(Services& s, Request& r) {
  if (!r.async_done) return Turn::Wait;
  r.async_done = false;
  if (r.file) {
    take_body(s, r);
    resume_body(s, r, std::move(r.file));
  } else {
    resume_opened(s, r, r.async_result);
  }
  return state_of(r) == State::OpenFile ? Turn::Wait : Turn::Again;
}

}  // namespace spliced::conn
