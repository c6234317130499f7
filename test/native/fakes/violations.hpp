// SPDX-License-Identifier: Apache-2.0
// What must never happen and the fakes have noticed: a descriptor used after its close, an
// operation that ended twice, lost bytes. The fakes only record it. The test that owns the world
// checks that the list is empty; the fakes' own tests check that it is not.
#pragma once
#include <string>
#include <vector>

namespace spliced::fakes {

class Violations {
 public:
  void add(std::string sentence) { list_.push_back(std::move(sentence)); }
  bool empty() const { return list_.empty(); }
  std::string text() const {
    std::string all;
    for (const std::string& one : list_) all += one + "\n";
    return all;
  }
  bool mention(const std::string& part) const { return text().find(part) != std::string::npos; }
  void clear() { list_.clear(); }

 private:
  std::vector<std::string> list_;
};

}  // namespace spliced::fakes
