// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target once over each file named on the command line. For `make replay`, which keeps
// the corpus green with a compiler that has no libFuzzer.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "invariant.hpp"

int main(int count, char** names) {
  for (int i = 1; i < count; ++i) {
    std::ifstream file(names[i], std::ios::binary);
    if (!file) {
      std::fprintf(stderr, "%s: cannot be read\n", names[i]);
      return 1;
    }
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::vector<uint8_t> bytes(text.begin(), text.end());  // of exactly its size, for ASan
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  std::printf("%s: %d inputs\n", names[0], count - 1);
  return count > 1 ? 0 : 1;
}
