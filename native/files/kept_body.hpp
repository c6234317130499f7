// SPDX-License-Identifier: Apache-2.0
// Memory for the bodies of small files of one engine. The sum of their sizes is bounded; a body
// that is released returns its bytes. For the engine's thread alone.
#pragma once
#include <cstddef>
#include <memory>

#include "base/limits.hpp"

namespace spliced::files {

class KeptBodies {
 public:
  struct Release {
    std::shared_ptr<size_t> used_bytes;  // a body may outlive this object
    size_t bytes = 0;
    void operator()(char* memory) const {
      *used_bytes -= bytes;
      delete[] memory;
    }
  };
  using Body = std::unique_ptr<char[], Release>;

  // Null when there is no room; such a body is sent from its file.
  Body take(size_t bytes) {
    if (bytes > limits::kKeptBodiesBytesMax - *used_bytes_) return {};
    *used_bytes_ += bytes;
    return Body(new char[bytes], Release{used_bytes_, bytes});
  }
  size_t used_bytes() const { return *used_bytes_; }

 private:
  std::shared_ptr<size_t> used_bytes_ = std::make_shared<size_t>(0);
};

}  // namespace spliced::files
