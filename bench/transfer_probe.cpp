// SPDX-License-Identifier: Apache-2.0
// Measures ways to move a file into a kernel-TLS socket: sendfile, splice through a pipe, linked
// io_uring splices, and for small bodies one sendmsg; and ways to send it as frames of HTTP/2.
// bench/run-transfer-probe runs it in guests.
// A child process is the client: it sends a short request (in the clear: only TX is kernel TLS
// here), counts the plaintext of the records that come back, and asks again; so every variant
// serves the same closed loop over loopback. The key is fixed, nobody decrypts.
//   transfer-probe FILE_DIR ROUNDS     the table, as tab-separated lines
//   transfer-probe --frames FILE_DIR ROUNDS    likewise, of 16 MiB as frames of HTTP/2
//   transfer-probe --nowait FILE...    what preadv2(RWF_NOWAIT) answers for each file, cold and
//   warm
#include <arpa/inet.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/tls.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "frame_methods.hpp"
#include "transfer_client.hpp"
#include "transfer_methods.hpp"

namespace {

struct Size {
  const char* name;
  size_t bytes;
};
constexpr Size kSizes[] = {{"1KiB", 1024}, {"16KiB", 16384}, {"16MiB", 16 << 20}};
constexpr double kMeasurementSeconds = 0.5;  // at least, and at least one transfer

struct Sample {
  int transfers = 0;
  double seconds = 0, machine_busy_s = 0, sender_cpu_s = 0;
  double records_per_response = 0;
};

double machine_busy_s() {  // all but idle and iowait: crypto workers count too
  FILE* stat = fopen("/proc/stat", "r");
  unsigned long long user, nice, system, idle, wait, irq, soft;
  if (!stat || fscanf(stat, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle,
                      &wait, &irq, &soft) != 7)
    die("/proc/stat");
  fclose(stat);
  return static_cast<double>(user + nice + system + irq + soft) / sysconf(_SC_CLK_TCK);
}

double own_cpu_s() {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
         (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void promote(int socket) {
  check(setsockopt(socket, SOL_TCP, TCP_ULP, "tls", 4), "TCP_ULP (module tls)");
  struct tls12_crypto_info_aes_gcm_128 info = {};
  info.info.version = TLS_1_3_VERSION;
  info.info.cipher_type = TLS_CIPHER_AES_GCM_128;
  memset(info.key, 0x5a, sizeof info.key);
  check(setsockopt(socket, SOL_TLS, TLS_TX, &info, sizeof info), "TLS_TX");
}

class Server {
 public:
  Server(const std::string& directory, struct io_uring* ring) : directory_(directory), ring_(ring) {
    int orders[2], answers[2];
    check(pipe2(orders, O_CLOEXEC), "pipe");
    check(pipe2(answers, O_CLOEXEC), "pipe");
    check(pipe2(pipe_, O_CLOEXEC | O_NONBLOCK), "pipe");
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(bind(listener_, reinterpret_cast<struct sockaddr*>(&address), sizeof address), "bind");
    check(listen(listener_, 16), "listen");
    socklen_t length = sizeof address;
    getsockname(listener_, reinterpret_cast<struct sockaddr*>(&address), &length);
    if (fork() == 0) {
      close(orders[1]);
      run_client(address, orders[0], answers[1]);
    }
    close(orders[0]);
    orders_ = orders[1];
    answers_ = answers[0];
  }

  Sample measure(const Method& method, const Size& size) {
    return measure(method, size, kHeadBytes + size.bytes);
  }

  Sample measure(const Method& method, const Size& size, const size_t plaintext_bytes) {
    check(write(orders_, &plaintext_bytes, sizeof plaintext_bytes), "order");
    const int fd =
        check(accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC), "accept");
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    promote(fd);
    const std::string path = directory_ + "/" + size.name;
    const int file = check(open(path.c_str(), O_RDONLY | O_CLOEXEC), path.c_str());
    std::vector<char> memory(std::min<size_t>(size.bytes, kPieceBytes));
    check(pread(file, memory.data(), memory.size(), 0), "pread");
    const Transfer transfer = {fd, file, pipe_[0], pipe_[1], ring_, memory.data(), size.bytes};

    await_request(fd);
    const auto start = std::chrono::steady_clock::now();
    const double busy = machine_busy_s(), own = own_cpu_s();
    Sample sample;
    do {
      method.send(transfer);
      await_request(fd);  // so the client has the whole response
      ++sample.transfers;
      sample.seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    } while (sample.seconds < kMeasurementSeconds);
    sample.machine_busy_s = machine_busy_s() - busy;
    sample.sender_cpu_s = own_cpu_s() - own;
    shutdown(fd, SHUT_RDWR);
    uint64_t records = 0;
    check(read(answers_, &records, sizeof records), "read answer");
    sample.records_per_response = static_cast<double>(records) / sample.transfers;
    close(file);
    close(fd);
    return sample;
  }

 private:
  static void await_request(int fd) {
    char request[kRequestBytes];
    while (recv(fd, request, sizeof request, 0) < 0) {
      if (errno != EAGAIN) die("recv");
      struct pollfd poll_fd = {fd, POLLIN, 0};
      check(poll(&poll_fd, 1, 20000) == 1 ? 0 : -1, "no request");
    }
  }

  std::string directory_;
  struct io_uring* ring_;
  int listener_, orders_, answers_, pipe_[2];
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void make_files(const std::string& directory) {
  for (const Size& size : kSizes) {
    const int fd =
        check(open((directory + "/" + size.name).c_str(), O_CREAT | O_WRONLY, 0644), "file");
    std::vector<char> content(size.bytes, 'x');
    check(write(fd, content.data(), content.size()), "write");
    close(fd);
  }
}

// size, method, MiB/s, responses/s, machine's and sender's CPU in ms per MiB, records a response
void print_row(const Size& size, const char* method, const std::vector<Sample>& samples) {
  std::vector<double> rates;
  double busy_s = 0, own_s = 0, mib = 0;
  for (const Sample& sample : samples) {
    rates.push_back(sample.transfers / sample.seconds);
    busy_s += sample.machine_busy_s;
    own_s += sample.sender_cpu_s;
    mib += size.bytes / 1048576.0 * sample.transfers;
  }
  const double rate = median(rates);
  printf("%s\t%s\t%.2f\t%.1f\t%.1f\t%.1f\t%.0f\n", size.name, method, rate * size.bytes / 1048576.0,
         rate, busy_s / mib * 1000, own_s / mib * 1000, samples[0].records_per_response);
  fflush(stdout);
}

void make_ring(struct io_uring& ring) {
  const int made = io_uring_queue_init(
      16, &ring,
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN);
  if (made < 0) errno = -made, die("io_uring_queue_init");
}

int run_frames(const std::string& directory, int rounds) {
  make_files(directory);
  struct io_uring ring;
  make_ring(ring);
  Server server(directory, &ring);
  const Size& size = kSizes[std::size(kSizes) - 1];
  std::vector<Sample> samples[std::size(kFrameMethods)];
  for (int round = -1; round < rounds; ++round) {  // round -1 warms up
    for (size_t m = 0; m < std::size(kFrameMethods); ++m) {
      const FrameMethod& of = kFrameMethods[m];
      const size_t bytes =
          of.payload == 0 ? kHeadBytes + size.bytes : frames_bytes(size.bytes, of.payload);
      const Sample sample = server.measure(of.method, size, bytes);
      if (round >= 0) samples[m].push_back(sample);
    }
  }
  for (size_t m = 0; m < std::size(kFrameMethods); ++m)
    print_row(size, kFrameMethods[m].method.name, samples[m]);
  return 0;
}

int run_table(const std::string& directory, int rounds) {
  make_files(directory);
  struct io_uring ring;
  make_ring(ring);
  Server server(directory, &ring);
  constexpr size_t kMethodCount = std::size(kMethods);
  for (const Size& size : kSizes) {
    std::vector<Sample> samples[kMethodCount];
    for (int round = -1; round < rounds; ++round) {  // round -1 warms up
      for (size_t m = 0; m < kMethodCount; ++m) {
        if (kMethods[m].small_only && size.bytes > kPieceBytes) continue;
        const Sample sample = server.measure(kMethods[m], size);
        if (round >= 0) samples[m].push_back(sample);
      }
    }
    for (size_t m = 0; m < kMethodCount; ++m) {
      if (samples[m].empty()) continue;
      print_row(size, kMethods[m].name, samples[m]);
    }
  }
  return 0;
}

int run_nowait(char** paths, int count) {
  for (int i = 0; i < count; ++i) {
    const int fd = check(open(paths[i], O_RDONLY | O_CLOEXEC), paths[i]);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    char buffer[4096];
    struct iovec part = {buffer, sizeof buffer};
    const ssize_t cold = preadv2(fd, &part, 1, 0, RWF_NOWAIT);
    const int cold_errno = errno;
    check(pread(fd, buffer, sizeof buffer, 0), "pread");
    const ssize_t warm = preadv2(fd, &part, 1, 0, RWF_NOWAIT);
    const int warm_errno = errno;
    printf("%s\t%s\t%s\n", paths[i],
           cold < 0 ? strerrorname_np(cold_errno) : std::to_string(cold).c_str(),
           warm < 0 ? strerrorname_np(warm_errno) : std::to_string(warm).c_str());
    close(fd);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2 && strcmp(argv[1], "--nowait") == 0) return run_nowait(argv + 2, argc - 2);
  if (argc == 4 && strcmp(argv[1], "--frames") == 0)
    return run_frames(argv[2], std::max(1, atoi(argv[3])));
  if (argc != 3) {
    fprintf(stderr,
            "usage: transfer-probe [--frames] FILE_DIR ROUNDS | transfer-probe --nowait FILE...\n");
    return 2;
  }
  return run_table(argv[1], std::max(1, atoi(argv[2])));
}
