// SPDX-License-Identifier: Apache-2.0
// See file_cache.hpp.
#include "files/file_cache.hpp"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <atomic>

#include "base/limits.hpp"
#include "base/mix.hpp"
#include "files/open_beneath.hpp"
#include "http/asset_name.hpp"
#include "http/date.hpp"
#include "http/media_type.hpp"

namespace spliced::files {
namespace {

constexpr unsigned kMemfdNoExecSeal = 8;  // MFD_NOEXEC_SEAL, linux/memfd.h since 6.3

bool identify(int directory, const char* path, int flags, Identity& out, uint16_t& mode) {
  struct statx s {};
  if (::statx(directory, path, flags, STATX_BASIC_STATS, &s) != 0) return false;
  out.device = makedev(s.stx_dev_major, s.stx_dev_minor);
  out.inode = s.stx_ino;
  out.size = s.stx_size;
  out.modified_s = s.stx_mtime.tv_sec;
  out.modified_ns = s.stx_mtime.tv_nsec;
  out.changed_s = s.stx_ctime.tv_sec;
  out.changed_ns = s.stx_ctime.tv_nsec;
  mode = s.stx_mode;
  return true;
}

// To the microsecond: see adopt_variant().
bool same_modification(const Identity& a, const Identity& b) {
  return a.modified_s == b.modified_s && a.modified_ns / 1000 == b.modified_ns / 1000;
}

}  // namespace

std::string strong_etag(const Identity& id, std::string_view build) {
  uint64_t hash = 0;
  for (const uint64_t word :
       {id.inode, id.size, static_cast<uint64_t>(id.modified_s), uint64_t{id.modified_ns},
        static_cast<uint64_t>(id.changed_s), uint64_t{id.changed_ns}})
    hash = base::mix(hash, word);
  for (const char c : build) hash = base::mix(hash, static_cast<uint8_t>(c));
  char text[20];
  snprintf(text, sizeof text, "\"%016" PRIx64 "\"", hash);
  return text;
}

// Fills in what fstat of the open file says.
bool FileCache::describe(File& file, uint16_t& mode) const {
  if (!identify(file.fd.get(), "", AT_EMPTY_PATH, file.identity, mode)) return false;
  file.etag = strong_etag(file.identity, build_);
  file.last_modified = http::format_date(file.identity.modified_s).view();
  return true;
}

FileCache::~FileCache() {
  if (!entries_.empty()) counters_.open.sub(entries_.size());
}

void FileCache::drop(std::unordered_map<std::string, Entry>::iterator entry) {
  entries_.erase(entry);
  counters_.open.sub();
}

bool FileCache::names_still(const std::string& path, const File& file) const {
  Identity now;
  uint16_t mode;
  return identify(root_, path.c_str(), 0, now, mode) && now == file.identity;
}

Since compare(const File& file, uint64_t end) {
  Identity now;
  uint16_t mode;
  if (!identify(file.fd.get(), "", AT_EMPTY_PATH, now, mode) || now.size < end)
    return Since::Shorter;
  return now == file.identity ? Since::Unchanged : Since::Touched;
}

uint64_t File::next_number() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

FilePtr memory_file(std::string_view body) {
  // With vm.memfd_noexec=2 a memfd must be created as not executable. Linux before 6.3 does not
  // know the flag.
  int fd = ::memfd_create("spliced-canary", MFD_CLOEXEC | kMemfdNoExecSeal);
  if (fd < 0 && errno == EINVAL) fd = ::memfd_create("spliced-canary", MFD_CLOEXEC);
  auto file = std::make_shared<File>();
  file->fd = os::Fd(fd);
  if (!file->fd) return nullptr;
  if (::pwrite(fd, body.data(), body.size(), 0) != static_cast<ssize_t>(body.size()))
    return nullptr;
  uint16_t mode;
  if (!identify(fd, "", AT_EMPTY_PATH, file->identity, mode)) return nullptr;
  file->etag = strong_etag(file->identity, "");
  file->last_modified = http::format_date(file->identity.modified_s).view();
  file->media_type = "application/octet-stream";
  return file;
}

Found FileCache::find(const std::string& path, uint64_t now_ms) {
  const auto known = entries_.find(path);
  if (known != entries_.end()) {
    Entry& entry = known->second;
    if (entry.checked_turn == turn_ || names_still(path, *entry.file)) {
      entry.checked_turn = turn_;
      entry.used_ms = now_ms;
      counters_.hits.add();
      return {Found::Verdict::File, entry.file};
    }
    drop(known);
  }
  counters_.misses.add();
  const int fd = open_beneath(root_, path.c_str(), Lookup::Resident);
  if (fd == -EAGAIN) return {Found::Verdict::NeedOpen, nullptr};
  return adopt(path, fd, now_ms);
}

Found FileCache::adopt(const std::string& path, int opened, uint64_t now_ms) {
  if (opened == -EMFILE || opened == -ENFILE || opened == -ENOMEM || opened == -EIO)
    return {Found::Verdict::Unavailable, nullptr};
  if (opened < 0) return {Found::Verdict::Missing, nullptr};
  auto file = std::make_shared<File>();
  file->fd = os::Fd(opened);
  uint16_t mode;
  if (!describe(*file, mode)) return {Found::Verdict::Missing, nullptr};
  if (S_ISDIR(mode)) return {Found::Verdict::Directory, nullptr};
  if (!S_ISREG(mode)) return {Found::Verdict::Missing, nullptr};
  file->media_type = http::media_type(path);
  file->hashed_name = http::has_content_hash(path);
  keep(path, file, now_ms);
  return {Found::Verdict::File, file};
}

bool FileCache::knows_variant(const File& file, http::Coding coding, uint64_t now_ms) const {
  const Variant& variant = file.variants[static_cast<size_t>(coding)];
  return variant.looked_ms != 0 && now_ms - variant.looked_ms < limits::kFileKeptMs;
}

bool FileCache::find_variant(File& file, http::Coding coding, const std::string& path,
                             uint64_t now_ms) {
  const int fd = open_beneath(root_, path.c_str(), Lookup::Resident);
  if (fd == -EAGAIN) return false;
  adopt_variant(file, coding, fd, now_ms);
  return true;
}

void FileCache::adopt_variant(File& file, http::Coding coding, int opened, uint64_t now_ms) {
  Variant& variant = file.variants[static_cast<size_t>(coding)];
  variant.looked_ms = now_ms;
  FilePtr found;
  if (opened >= 0) {
    found = std::make_shared<File>();
    found->fd = os::Fd(opened);
    uint16_t mode;
    const bool usable = describe(*found, mode) && S_ISREG(mode) &&
                        same_modification(found->identity, file.identity);
    if (!usable) found.reset();
  }
  // The same file again: keep it, as its body may be in memory.
  if (found && variant.file && variant.file->identity == found->identity) return;
  if (found) {
    found->media_type = file.media_type;
    found->hashed_name = file.hashed_name;
    found->content_encoding = http::name_of(coding).token;
  }
  variant.file = std::move(found);
}

void FileCache::keep(const std::string& path, const FilePtr& file, uint64_t now_ms) {
  if (entries_.size() >= limits::kFilesKeptMax) {
    auto oldest = entries_.begin();
    for (auto it = entries_.begin(); it != entries_.end(); ++it)
      if (it->second.used_ms < oldest->second.used_ms) oldest = it;
    drop(oldest);
  }
  if (entries_.insert_or_assign(path, Entry{file, now_ms, turn_}).second) counters_.open.add();
  if (next_sweep_ms_ == UINT64_MAX) next_sweep_ms_ = now_ms + limits::kFileKeptMs;
}

void FileCache::sweep(uint64_t now_ms) {
  if (now_ms < next_sweep_ms_) return;
  for (auto it = entries_.begin(); it != entries_.end();) {
    const auto entry = it++;
    if (now_ms - entry->second.used_ms >= limits::kFileKeptMs) drop(entry);
  }
  next_sweep_ms_ = entries_.empty() ? UINT64_MAX : now_ms + limits::kFileKeptMs;
}

}  // namespace spliced::files
