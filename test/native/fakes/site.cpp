// SPDX-License-Identifier: Apache-2.0
// See site.hpp.
#include "fakes/site.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

namespace spliced::fakes {
namespace {

void save(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

}  // namespace

Site::Site() {
  char name[] = "/tmp/spliced-test-XXXXXX";
  directory_ = ::mkdtemp(name);
  root_ = os::Fd(::open(name, O_PATH | O_DIRECTORY | O_CLOEXEC));
}

Site::~Site() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string Site::content(const std::string& name, size_t bytes) {
  static std::map<std::string, std::string> made;  // the simulations ask often
  std::string& all = made[name];
  while (all.size() < bytes) {
    char text[64];
    all.append(text, static_cast<size_t>(std::snprintf(text, sizeof text, "%.16s:%06zu\n",
                                                       name.c_str(), all.size() % 999'983)));
  }
  return all.substr(0, bytes);
}

std::string Site::write(const std::string& name, size_t bytes) {
  const std::string text = content(name, bytes);
  std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
  save(path(name), text);
  return text;
}

std::string Site::write_sibling(const std::string& name, const std::string& original,
                                size_t bytes) {
  const std::string text = write(name, bytes);
  std::filesystem::last_write_time(path(name), std::filesystem::last_write_time(path(original)));
  return text;
}

void Site::replace(const std::string& name, const std::string& content) {
  save(path(name) + ".new", content);
  std::filesystem::rename(path(name) + ".new", path(name));
}

void Site::truncate(const std::string& name, size_t bytes) {
  std::filesystem::resize_file(path(name), bytes);
}

}  // namespace spliced::fakes
