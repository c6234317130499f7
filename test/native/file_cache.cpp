// SPDX-License-Identifier: Apache-2.0
// files/: the cache over a real directory, and what may not be opened through it.
#include "files/file_cache.hpp"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <ostream>
#include <set>
#include <string>
#include <thread>

#include "base/limits.hpp"
#include "doctest/doctest.h"
#include "fakes/site.hpp"
#include "files/open_beneath.hpp"
#include "files/residency.hpp"

using namespace spliced;
using namespace spliced::files;
using fakes::Site;
using os::Fd;
using Verdict = Found::Verdict;

namespace {

struct Cache {
  Site site;
  Counters counters;
  FileCache files{site.root(), "", counters};
  uint64_t now_ms = 1000;

  // As a connection does it: from the cache, or by an open that may read the disk.
  Found get(const std::string& path) {
    files.begin_turn();
    const Found found = files.find(path, now_ms);
    if (found.verdict != Verdict::NeedOpen) return found;
    return files.adopt(path, open_beneath(site.root(), path.c_str(), Lookup::MayBlock), now_ms);
  }
};

std::string read_all(const File& file) {
  std::string out(file.size(), 0);
  const ssize_t got = ::pread(file.fd.get(), out.data(), out.size(), 0);
  out.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return out;
}

// Runs `body` on a thread to which openat2 answers with the error, as an old kernel or a policy
// does.
template <class Body>
bool without_openat2(int error, Body body) {
  bool filtered = false;
  std::thread thread([&] {
    sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),  // seccomp_data.nr
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    sock_fprog program{4, rules};
    filtered = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
               ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
    if (filtered) body();
  });
  thread.join();
  return filtered;
}

size_t open_descriptors() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    count++;
  return count;
}

}  // namespace

TEST_CASE("files: what a response needs to know of a file") {
  Cache cache;
  const std::string content = cache.site.write("a/b.html", 5000);
  const Found found = cache.get("a/b.html");
  REQUIRE(found.verdict == Verdict::File);
  CHECK(found.file->size() == 5000);
  CHECK(found.file->media_type == "text/html; charset=utf-8");
  CHECK(found.file->etag.front() == '"');
  CHECK(found.file->etag.back() == '"');
  CHECK(found.file->last_modified.size() == 29);
  CHECK(read_all(*found.file) == content);
  CHECK(cache.get("a/b.html").file == found.file);
  CHECK(cache.counters.hits.get() == 1);
  CHECK(cache.counters.misses.get() == 1);
  CHECK(cache.counters.open.get() == 1);
}

TEST_CASE("files: every kind of change is seen at the next request") {
  Cache cache;
  cache.site.write("file", 1000);
  const FilePtr before = cache.get("file").file;
  REQUIRE(before);
  SUBCASE("replaced by rename") {
    cache.site.replace("file", "new");
    CHECK(read_all(*cache.get("file").file) == "new");
    CHECK(read_all(*before).size() == 1000);  // whoever is being sent the old one gets all of it
  }
  SUBCASE("replaced by one of the same size and time of modification") {
    struct stat s {};
    REQUIRE(::stat(cache.site.path("file").c_str(), &s) == 0);
    cache.site.replace("file", std::string(1000, 'x'));
    const timespec times[2] = {s.st_atim, s.st_mtim};
    REQUIRE(::utimensat(AT_FDCWD, cache.site.path("file").c_str(), times, 0) == 0);
    CHECK(read_all(*cache.get("file").file) == std::string(1000, 'x'));
  }
  SUBCASE("truncated in place") {
    cache.site.truncate("file", 10);
    CHECK(cache.get("file").file->size() == 10);
  }
  SUBCASE("touched") {
    const timespec times[2] = {{1'000'000, 0}, {1'000'000, 0}};
    REQUIRE(::utimensat(AT_FDCWD, cache.site.path("file").c_str(), times, 0) == 0);
    CHECK(cache.get("file").file->last_modified == "Mon, 12 Jan 1970 13:46:40 GMT");
  }
  SUBCASE("rewritten in place, with the old size and time of modification") {
    struct stat s {};
    REQUIRE(::stat(cache.site.path("file").c_str(), &s) == 0);
    // ctime moves with the kernel's tick.
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    const Fd file(::open(cache.site.path("file").c_str(), O_WRONLY | O_CLOEXEC));
    REQUIRE(::pwrite(file.get(), "xyz", 3, 0) == 3);
    const timespec times[2] = {s.st_atim, s.st_mtim};
    REQUIRE(::futimens(file.get(), times) == 0);
    CHECK(cache.get("file").file != before);  // ctime alone tells, in fractions of a second
  }
  SUBCASE("touched within a second") {
    const timespec times[2] = {{1'000'000, 0x1234}, {1'000'000, 0x1234}};
    REQUIRE(::utimensat(AT_FDCWD, cache.site.path("file").c_str(), times, 0) == 0);
    CHECK(cache.get("file").file->identity.modified_ns == 0x1234);
  }
  SUBCASE("removed") {
    REQUIRE(::unlink(cache.site.path("file").c_str()) == 0);
    CHECK(cache.get("file").verdict == Verdict::Missing);
    CHECK(cache.counters.open.get() == 0);
    return;
  }
  const FilePtr after = cache.get("file").file;
  REQUIRE(after);
  CHECK(after != before);
  CHECK(after->etag != before->etag);
}

TEST_CASE("files: whatever may have changed gives another entity tag, and the device alone none") {
  const Identity id{1, 2, 3, 4, 5, 6, 7};
  const std::string tag = strong_etag(id, "b1");
  CHECK(tag.size() == 18);
  CHECK(tag.front() == '"');
  CHECK(tag.back() == '"');
  CHECK(tag.find('"', 1) == 17);
  CHECK(strong_etag(id, "b1") == tag);
  Identity elsewhere = id;
  elsewhere.device++;
  CHECK(strong_etag(elsewhere, "b1") == tag);
  std::set<std::string> tags{tag, strong_etag(id, ""), strong_etag(id, "b"), strong_etag(id, "b2"),
                             strong_etag(id, "1b")};
  const auto with = [&](auto member, auto value) {
    Identity other = id;
    other.*member = value;
    tags.insert(strong_etag(other, "b1"));
  };
  for (const uint64_t value : {uint64_t{0}, uint64_t{9}, uint64_t{1} << 31, UINT64_MAX}) {
    with(&Identity::inode, value);
    with(&Identity::size, value);
  }
  for (const int64_t value : {int64_t{-1}, int64_t{0}, int64_t{1} << 33}) {
    with(&Identity::modified_s, value);
    with(&Identity::changed_s, value);
  }
  for (const uint32_t value : {0u, 8u, 999'999'999u}) {
    with(&Identity::modified_ns, value);
    with(&Identity::changed_ns, value);
  }
  // A write sets both times, to the same.
  for (uint32_t ns = 10; ns < 100'010; ns++) tags.insert(strong_etag({1, 2, 3, 4, 4, ns, ns}, ""));
  CHECK(tags.size() == 5 + 2 * 4 + 2 * 3 + 2 * 3 + 100'000);
}

TEST_CASE("files: only regular files beneath the root") {
  Cache cache;
  cache.site.write("dir/file", 10);
  const auto link = [&](const std::string& target, const char* name) {
    REQUIRE(::symlink(target.c_str(), cache.site.path(name).c_str()) == 0);
  };
  link("/etc/passwd", "absolute");
  link("../../../../../../etc/passwd", "climbing");
  link("/etc", "directory");
  link("/proc/self/fd/0", "magic");
  link("loop", "loop");
  link("dir/file", "inside");
  link("nothing", "dangling");
  REQUIRE(::mkfifo(cache.site.path("fifo").c_str(), 0600) == 0);
  const int local = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, cache.site.path("socket").c_str(), sizeof address.sun_path - 1);
  REQUIRE(::bind(local, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  const size_t before = open_descriptors();
  for (const char* name : {"absolute", "climbing", "directory/passwd", "magic", "loop", "dangling",
                           "fifo", "socket", "..", "../etc/passwd", "/etc/passwd",
                           "dir/../../etc/passwd", "dir/file/more", "", "missing/file"}) {
    CAPTURE(name);
    CHECK(cache.get(name).verdict == Verdict::Missing);
  }
  for (const char* name : {"dir", "."}) CHECK(cache.get(name).verdict == Verdict::Directory);
  CHECK(open_descriptors() == before);
  CHECK(cache.counters.open.get() == 0);
  CHECK(cache.get("inside").verdict == Verdict::File);  // a link that stays beneath
  os::close_fd(local);
}

TEST_CASE("files: where openat2 is forbidden, a walk that follows no link at all") {
  for (int error : {ENOSYS, EPERM}) {
    CAPTURE(error);
    Site site;
    site.write("dir/sub/file", 10);
    REQUIRE(::symlink("/etc", site.path("out").c_str()) == 0);
    REQUIRE(::symlink("dir", site.path("in").c_str()) == 0);
    REQUIRE(::symlink("/etc/passwd", site.path("dir/passwd").c_str()) == 0);
    struct Row {
      const char* path;
      bool opens;
    };
    constexpr Row kRows[] = {{"dir/sub/file", true},
                             {"dir/sub", true},
                             {"none", false},
                             {"dir/none/file", false},
                             {"out/passwd", false},
                             {"in/sub/file", false},
                             {"dir/passwd", false},
                             {"../etc/passwd", false},
                             {"dir/../dir/sub/file", false},
                             {"/etc/passwd", false},
                             {"..", false},
                             {"dir/..", false},
                             {"dir//sub/file", false},
                             {"dir/sub/file/more", false}};
    const size_t before = open_descriptors();
    bool resident_opens = false;
    std::string wrong;
    const bool filtered = without_openat2(error, [&] {
      resident_opens = open_beneath(site.root(), "dir/sub/file", Lookup::Resident) != -EAGAIN;
      for (const Row& row : kRows) {
        const Fd file(open_beneath(site.root(), row.path, Lookup::MayBlock));
        if (static_cast<bool>(file) != row.opens) wrong += std::string(row.path) + " ";
      }
    });
    if (!filtered) {
      MESSAGE("SKIPPED: seccomp filters are not permitted here");
      return;
    }
    CHECK_FALSE(resident_opens);  // cannot be known: the caller opens asynchronously
    CHECK(wrong == "");
    CHECK(open_descriptors() == before);
  }
}

TEST_CASE("files: a device is refused") {
  Cache cache;
  if (::mknod(cache.site.path("null").c_str(), S_IFCHR | 0600, makedev(1, 3)) != 0) {
    MESSAGE("SKIPPED: mknod is not permitted here (" << std::strerror(errno) << ")");
    return;
  }
  CHECK(cache.get("null").verdict == Verdict::Missing);
}

TEST_CASE("files: a file that becomes a link out of the root is not served from the cache") {
  Cache cache;
  cache.site.write("file", 10);
  REQUIRE(cache.get("file").verdict == Verdict::File);
  REQUIRE(::unlink(cache.site.path("file").c_str()) == 0);
  REQUIRE(::symlink("/etc/passwd", cache.site.path("file").c_str()) == 0);
  CHECK(cache.get("file").verdict == Verdict::Missing);
}

TEST_CASE("files: errors of an asynchronous open are told apart") {
  Cache cache;
  for (int error : {EMFILE, ENFILE, ENOMEM, EIO})
    CHECK(cache.files.adopt("a", -error, 1).verdict == Verdict::Unavailable);
  for (int error : {ENOENT, EACCES, ELOOP, EXDEV, ENOTDIR, ENAMETOOLONG, ENXIO})
    CHECK(cache.files.adopt("a", -error, 1).verdict == Verdict::Missing);
}

TEST_CASE("files: no more than the bound are kept, and the least recently used goes first") {
  Cache cache;
  const size_t before = open_descriptors();
  const auto name = [](size_t i) { return "f" + std::to_string(i); };
  for (size_t i = 0; i <= limits::kFilesKeptMax; i++) cache.site.write(name(i), 10);
  for (size_t i = 0; i < limits::kFilesKeptMax; i++, cache.now_ms++) cache.get(name(i));
  CHECK(cache.counters.open.get() == limits::kFilesKeptMax);
  cache.get(name(0));  // used again: number 1 is the oldest now
  cache.now_ms++;
  cache.get(name(limits::kFilesKeptMax));
  CHECK(cache.counters.open.get() == limits::kFilesKeptMax);
  CHECK(open_descriptors() == before + limits::kFilesKeptMax);
  const uint64_t misses = cache.counters.misses.get();
  cache.get(name(0));
  CHECK(cache.counters.misses.get() == misses);
  cache.get(name(1));
  CHECK(cache.counters.misses.get() == misses + 1);
}

TEST_CASE("files: one look a turn, and a new one in the next") {
  Cache cache;
  const std::string content = cache.site.write("file", 1000);
  const FilePtr first = cache.get("file").file;
  cache.site.replace("file", "another");
  CHECK(cache.files.find("file", cache.now_ms).file == first);
  CHECK(cache.get("file").file->size() == 7);
}

TEST_CASE("files: in memory, all is resident; elsewhere what was just read, or nobody can tell") {
  for (const char* directory : {"/dev/shm", "/var/tmp"}) {
    CAPTURE(directory);
    const std::string path =
        std::string(directory) + "/spliced-residency." + std::to_string(getpid());
    File file;
    file.fd = Fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    REQUIRE(file.fd);
    ::unlink(path.c_str());
    const std::string content(100'000, 'x');
    REQUIRE(::pwrite(file.fd.get(), content.data(), content.size(), 0) == 100'000);
    const bool there = resident(file, 0, content.size());
    std::string out(content.size(), 0);
    const os::Moved got = read_resident(file, 0, out.data(), out.size());
    CHECK(there == (file.residency != Residency::Unknown));
    CHECK(got.io == (there ? os::Io::Done : os::Io::WouldBlock));
    if (there) CHECK(out == content);
    if (there) CHECK(read_resident(file, content.size(), out.data(), 1).io == os::Io::Eof);
    if (os::is_in_memory(file.fd.get())) CHECK(there);
  }
}

TEST_CASE("files: what nobody asks for is let go, what is being sent stays open") {
  Cache cache;
  const size_t before = open_descriptors();
  const std::string content = cache.site.write("file", 1000);
  CHECK(cache.files.next_sweep_ms() == UINT64_MAX);
  {
    const FilePtr sending = cache.get("file").file;
    cache.now_ms = cache.files.next_sweep_ms();
    cache.files.sweep(cache.now_ms);
    CHECK(cache.counters.open.get() == 0);
    CHECK(cache.files.next_sweep_ms() == UINT64_MAX);
    CHECK(read_all(*sending) == content);
  }
  CHECK(open_descriptors() == before);
  cache.get("file");
  cache.now_ms += limits::kFileKeptMs - 1;
  cache.get("file");
  cache.now_ms += limits::kFileKeptMs - 1;
  cache.files.sweep(cache.now_ms);
  CHECK(cache.counters.open.get() == 1);
}
