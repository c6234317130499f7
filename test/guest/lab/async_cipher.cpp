// SPDX-License-Identifier: Apache-2.0
// Makes kernel TLS encrypt asynchronously, as with a crypto engine: instantiates a template such as
// cryptd(gcm(aes)), the default, through AF_ALG, which then outranks the plain gcm(aes). The bind may
// answer EEXIST or ENOENT and have worked all the same, so /proc/crypto decides. Prints the driver
// that a user of gcm(aes) gets now; exit code 1 with a reason when it is not asynchronous.
//   async-cipher [TEMPLATE(DRIVER)]
#include <errno.h>
#include <linux/if_alg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

namespace {

struct Driver {
  std::string name;
  int priority = -1;
  bool async = false;
};

// The gcm(aes) of the highest priority, which is the one the kernel chooses.
Driver chosen_driver() {
  std::ifstream crypto("/proc/crypto");
  Driver best, current;
  std::string line, algorithm;
  while (std::getline(crypto, line)) {
    const size_t colon = line.find(": ");
    const std::string key = line.substr(0, line.find_last_not_of(' ', line.find(':') - 1) + 1);
    const std::string value = colon == std::string::npos ? "" : line.substr(colon + 2);
    if (key == "name") current = Driver(), algorithm = value;
    if (key == "driver") current.name = value;
    if (key == "priority") current.priority = std::stoi(value);
    if (key == "async") {
      current.async = value == "yes";
      if (algorithm == "gcm(aes)" && current.priority > best.priority) best = current;
    }
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  const char* wanted = argc > 1 ? argv[1] : "cryptd(gcm(aes))";
  const int fd = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    fprintf(stderr, "async-cipher: no AF_ALG socket: %s (module algif_aead)\n", strerror(errno));
    return 1;
  }
  struct sockaddr_alg address = {};
  address.salg_family = AF_ALG;
  strcpy(reinterpret_cast<char*>(address.salg_type), "aead");
  snprintf(reinterpret_cast<char*>(address.salg_name), sizeof address.salg_name, "%s", wanted);
  const int bound = bind(fd, reinterpret_cast<struct sockaddr*>(&address), sizeof address);
  const int refusal = bound == 0 ? 0 : errno;
  const Driver driver = chosen_driver();
  close(fd);
  if (!driver.async) {
    fprintf(stderr, "async-cipher: the kernel would use %s, which is synchronous (bind: %s)\n",
            driver.name.c_str(), strerror(refusal));
    return 1;
  }
  printf("%s\n", driver.name.c_str());
  return 0;
}
