// SPDX-License-Identifier: Apache-2.0
// Open regular files beneath the root with what a response needs of them, and small bodies in
// memory. An entry is used only while the path still names the same file (device, inode, size,
// mtime and ctime), which one statx a turn of the engine's loop tells. Engine thread only.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/counter.hpp"
#include "files/kept_body.hpp"
#include "http/negotiation.hpp"
#include "os/fd.hpp"

struct statx;

namespace spliced::files {

struct Identity {
  uint64_t device = 0, inode = 0, size = 0;
  int64_t modified_s = 0, changed_s = 0;
  uint32_t modified_ns = 0, changed_ns = 0;
  bool operator==(const Identity& o) const {
    return device == o.device && inode == o.inode && size == o.size && modified_s == o.modified_s &&
           modified_ns == o.modified_ns && changed_s == o.changed_s && changed_ns == o.changed_ns;
  }
};

// How it is known that a page is in the page cache; found out at the first read (residency.cpp).
enum class Residency : uint8_t {
  Told,      // RWF_NOWAIT tells: ext4, XFS, btrfs, F2FS
  InMemory,  // tmpfs, ramfs: always
  Unknown,   // overlayfs, squashfs, UBIFS: the file system cannot tell
};

struct File;
using FilePtr = std::shared_ptr<File>;

// The same in a content coding: a sibling such as "app.js.br" beside "app.js".
struct Variant {
  FilePtr file;            // null: there is none that can be used
  uint64_t looked_ms = 0;  // 0: nobody has looked yet
};

struct File {
  os::Fd fd;
  Identity identity;
  std::string etag;           // strong, with its quotes (RFC 9110 8.8.3)
  std::string last_modified;  // IMF-fixdate
  std::string_view media_type;
  bool hashed_name = false;  // http/asset_name.hpp: what this path names never changes
  // Small files: the whole body, once it has been read; null until then and for large ones.
  KeptBodies::Body body;
  Residency residency = Residency::Told;
  std::string_view content_encoding;  // of a variant (RFC 9110 8.4); else empty
  Variant variants[http::kCodings];

  uint64_t size() const { return identity.size; }
};

// What became of an open file since its identity was taken. One statx.
enum class Since : uint8_t {
  Unchanged,
  Touched,  // a time or its length is another: its bytes may have been rewritten, or not
  Shorter,  // it ends before `end`, or cannot be asked any more
};
Since compare(const File& file, uint64_t end);

// A file of its own in memory, with what `body` holds: tmpfs pages, which take the way of any page
// cache. Null when there is no memory or descriptor for it.
FilePtr memory_file(std::string_view body);

struct Counters {
  base::Counter open, hits, misses, cold_fills;
};

struct Found {
  enum class Verdict : uint8_t {
    File,
    Missing,  // no regular file of that name, or not for us
    Directory,
    Unavailable,  // out of descriptors or memory, or the disk failed
    NeedOpen,     // find() only
  };
  Verdict verdict;
  FilePtr file;
};

class FileCache {
 public:
  // `build` goes into the validators: where an image gives every file the same times and numbers,
  // a file of another build is another one still. `root` stays the caller's.
  FileCache(int root, std::string build, Counters& counters)
      : root_(root), build_(std::move(build)), counters_(counters) {}
  ~FileCache();
  FileCache(const FileCache&) = delete;
  FileCache& operator=(const FileCache&) = delete;

  int root() const { return root_; }
  // What was looked at before is looked at again: each turn answers requests that arrived before
  // it.
  void begin_turn() { turn_++; }
  // Never waits for the disk beyond one statx of a path that was resident when it was opened.
  // NeedOpen: the caller opens asynchronously and comes back with adopt().
  Found find(const std::string& path, uint64_t now_ms);
  // Takes a descriptor (or a negative errno) from an open of `path`.
  Found adopt(const std::string& path, int opened, uint64_t now_ms);
  // Whether it is known if `file` has the variant: then file.variants[] has it. Looked at again
  // after limits::kFileKeptMs, so that new siblings are found and deleted ones are let go.
  bool knows_variant(const File& file, http::Coding coding, uint64_t now_ms) const;
  // Opens the sibling's path as find() does. False: the disk has to be asked, and the caller comes
  // back with adopt_variant().
  bool find_variant(File& file, http::Coding coding, const std::string& path, uint64_t now_ms);
  // Takes a descriptor, or a negative errno. A sibling is used only if its mtime is the file's, to
  // the microsecond (what Node can set): `spliced pack`, gzip, brotli and zstd leave it so, and one
  // of an older or a newer file has another.
  void adopt_variant(File& file, http::Coding coding, int opened, uint64_t now_ms);
  // Lets go of files that nobody has asked for in limits::kFileKeptMs.
  void sweep(uint64_t now_ms);
  uint64_t next_sweep_ms() const { return next_sweep_ms_; }  // UINT64_MAX: nothing is kept

 private:
  struct Entry {
    FilePtr file;
    uint64_t used_ms = 0;
    uint64_t checked_turn = 0;
  };
  bool describe(File& file, uint16_t& mode) const;
  void drop(std::unordered_map<std::string, Entry>::iterator entry);
  bool names_still(const std::string& path, const File& file) const;
  void keep(const std::string& path, const FilePtr& file, uint64_t now_ms);

  int root_;
  const std::string build_;
  Counters& counters_;
  uint64_t turn_ = 0;
  uint64_t next_sweep_ms_ = UINT64_MAX;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace spliced::files
