// SPDX-License-Identifier: Apache-2.0
// What the client of the guest tests is told to do (one line of its plan is one connection) and
// what it compares with: length and hash of each served file. Used by connection.cpp and main.cpp.
#pragma once
#include <openssl/evp.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

class Sha256 {
 public:
  Sha256() { restart(); }
  ~Sha256() { EVP_MD_CTX_free(context_); }
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void restart() { EVP_DigestInit_ex(context_, EVP_sha256(), nullptr); }
  void add(const char* data, size_t length) { EVP_DigestUpdate(context_, data, length); }
  std::string digest() {
    unsigned char out[32];
    EVP_DigestFinal_ex(context_, out, nullptr);
    return std::string(reinterpret_cast<char*>(out), sizeof out);
  }

 private:
  EVP_MD_CTX* context_ = EVP_MD_CTX_new();
};

struct Body {
  uint64_t bytes = 0;
  std::string digest;
};

class Bodies {
 public:
  explicit Bodies(std::string root) : root_(std::move(root)) {}
  const Body& of(const std::string& path) {
    auto found = known_.find(path);
    if (found != known_.end()) return found->second;
    std::ifstream file(root_ + path, std::ios::binary);
    if (!file) {
      fprintf(stderr, "client: cannot read %s%s\n", root_.c_str(), path.c_str());
      exit(2);
    }
    Body body;
    Sha256 hash;
    std::vector<char> buffer(65536);
    while (file.read(buffer.data(), buffer.size()) || file.gcount() > 0) {
      hash.add(buffer.data(), file.gcount());
      body.bytes += file.gcount();
    }
    body.digest = hash.digest();
    return known_.emplace(path, body).first->second;
  }

 private:
  std::string root_;
  std::map<std::string, Body> known_;
};

enum class Profile { kFast, kSlow, kResume, kStall, kEarly, kGate };

struct Plan {
  std::string id, tls, cipher, profile_text, mode;
  Profile profile = Profile::kFast;
  int64_t parameter = 0;
  int receive_buffer_bytes = 0;
  std::vector<std::string> paths;

  static bool parse(const std::string& line, Plan* plan) {
    std::istringstream words(line);
    if (!(words >> plan->id >> plan->tls >> plan->cipher >> plan->profile_text >> plan->mode >>
          plan->receive_buffer_bytes))
      return false;
    for (std::string path; words >> path;) plan->paths.push_back(path);
    const size_t colon = plan->profile_text.find(':');
    const std::string name = plan->profile_text.substr(0, colon);
    if (colon != std::string::npos) plan->parameter = atoll(&plan->profile_text[colon + 1]);
    static const std::map<std::string, Profile> kProfiles = {{"fast", Profile::kFast},
                                                             {"slow", Profile::kSlow},
                                                             {"resume", Profile::kResume},
                                                             {"stall", Profile::kStall},
                                                             {"early", Profile::kEarly},
                                                             {"gate", Profile::kGate}};
    const auto found = kProfiles.find(name);
    if (found == kProfiles.end() || plan->paths.empty()) return false;
    plan->profile = found->second;
    return true;
  }
};
