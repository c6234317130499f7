// SPDX-License-Identifier: Apache-2.0
// Open regular files beneath the root, with what a response needs of them, and small bodies in
// memory. An entry is used only while the path still names the same file (device, inode, size,
// mtime and ctime). One statx for each turn of the engine's loop checks that. For the engine's
// thread alone.
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

// A strong entity tag (RFC 9110 8.8.3) with its quotes: a hash of the identity without the device,
// whose number may change at a restart, and of the build. The ctime is part of it, so that a
// rewrite in place that restores size and mtime is seen. Short, because HPACK never indexes it.
std::string strong_etag(const Identity& id, std::string_view build);

// How the cache learns whether a page is in the page cache. Decided at the first read
// (residency.cpp).
enum class Residency : uint8_t {
  Told,      // RWF_NOWAIT says so: ext4, XFS, btrfs, F2FS
  InMemory,  // tmpfs, ramfs: always
  Unknown,   // overlayfs, squashfs, UBIFS: the file system cannot tell
};

struct File;
using FilePtr = std::shared_ptr<File>;

// The same file in a content coding: a sibling such as "app.js.br" beside "app.js".
struct Variant {
  FilePtr file;            // null: there is none, or it cannot be used
  uint64_t looked_ms = 0;  // when it was looked for; 0: never
};

struct File {
  const uint64_t number = next_number();  // of this object alone, in the whole process
  os::Fd fd;
  Identity identity;
  std::string etag;           // strong, with its quotes (RFC 9110 8.8.3)
  std::string last_modified;  // IMF-fixdate
  std::string_view media_type;
  bool hashed_name = false;  // by http/asset_name.hpp: the content of this path never changes
  // The whole body of a small file, after its first read. Null until then, and for large files.
  KeptBodies::Body body;
  Residency residency = Residency::Told;
  bool maps = true;                   // until mmap(2) of it, or vmsplice(2), was refused
  std::string_view content_encoding;  // of a variant (RFC 9110 8.4); else empty
  Variant variants[http::kCodings];

  uint64_t size() const { return identity.size; }

 private:
  static uint64_t next_number();
};

// What happened to an open file since its identity was taken. One statx.
enum class Since : uint8_t {
  Unchanged,
  Touched,  // its times or its length changed; its bytes may have been rewritten
  Shorter,  // it ends before `end`, or statx fails
};
Since compare(const File& file, uint64_t end);

// A new file in memory (tmpfs pages) that contains `body`; its pages are sent as those of any page
// cache. Null if there is no memory or no descriptor.
FilePtr memory_file(std::string_view body);

struct Counters {
  base::Counter open, hits, misses, cold_fills;
};

struct Found {
  enum class Verdict : uint8_t {
    File,
    Missing,  // no regular file of that name, or no permission
    Directory,
    Unavailable,  // out of descriptors or memory, or the disk failed
    NeedOpen,     // find() only
  };
  Verdict verdict;
  FilePtr file;
};

class FileCache {
 public:
  // `build` becomes part of the validators: if an image gives every file the same times and inode
  // numbers, files of different builds still differ. The caller keeps ownership of `root`.
  FileCache(int root, std::string build, Counters& counters)
      : root_(root), build_(std::move(build)), counters_(counters) {}
  ~FileCache();
  FileCache(const FileCache&) = delete;
  FileCache& operator=(const FileCache&) = delete;

  int root() const { return root_; }
  // A check of a file is valid for one turn, which answers requests that arrived before it began.
  void begin_turn() { turn_++; }
  // Waits for the disk at most for one statx, of a path that was resident when it was opened.
  // NeedOpen: the caller opens the path through the ring and passes the result to adopt().
  Found find(const std::string& path, uint64_t now_ms);
  // Takes ownership of the descriptor (or a negative errno) from an open of `path`.
  Found adopt(const std::string& path, int opened, uint64_t now_ms);
  // Whether it is known if `file` has the variant; if so, file.variants[] says which. Known for
  // limits::kFileKeptMs, so that new siblings are found and deleted ones are released.
  bool knows_variant(const File& file, http::Coding coding, uint64_t now_ms) const;
  // Opens the sibling's path as find() does. False: the disk must be read, and the caller continues
  // with adopt_variant().
  bool find_variant(File& file, http::Coding coding, const std::string& path, uint64_t now_ms);
  // Takes a descriptor, or a negative errno. A sibling is used only if its mtime equals the file's,
  // to the microsecond (the finest that Node can set). `spliced pack`, gzip, brotli and zstd set it
  // so. A sibling of an older or newer version of the file has another mtime.
  void adopt_variant(File& file, http::Coding coding, int opened, uint64_t now_ms);
  // Closes files that no request has used for limits::kFileKeptMs.
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
