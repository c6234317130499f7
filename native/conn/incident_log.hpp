// SPDX-License-Identifier: Apache-2.0
// Requests that could not be answered because of what a backend or the configuration said, for the
// log: which, and why, so that an operator who sees a 502 need not guess. Bounded: the engine
// thread adds, the Node thread takes a batch now and then, and what does not fit is counted.
#pragma once
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.hpp"

namespace spliced::conn {

struct Incident {
  const char* event = "";   // as the log names it
  const char* reason = "";  // one of a few words
  std::string route;        // its path
  std::string subject;      // what it was about: a file that was named, a backend's address
};

class IncidentLog {
 public:
  struct Batch {
    std::vector<Incident> incidents;
    uint64_t lost = 0;  // beyond limits::kIncidentsMax
  };

  // Engine thread. Of the subject limits::kIncidentSubjectBytesMax are kept.
  void add(Incident incident) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (batch_.incidents.size() >= limits::kIncidentsMax) {
      batch_.lost++;
      return;
    }
    if (incident.subject.size() > limits::kIncidentSubjectBytesMax)
      incident.subject.resize(limits::kIncidentSubjectBytesMax);
    batch_.incidents.push_back(std::move(incident));
  }
  // Any thread.
  Batch take() {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(batch_, {});
  }

 private:
  std::mutex mutex_;
  Batch batch_;
};

}  // namespace spliced::conn
