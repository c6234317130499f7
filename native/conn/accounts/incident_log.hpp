// SPDX-License-Identifier: Apache-2.0
// Requests that could not be answered because of a backend or the configuration, with the reason,
// so that an operator who sees a 502 need not guess. For the log. Bounded: the engine's thread
// adds, the Node thread takes batches, and incidents that do not fit are counted.
#pragma once
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.hpp"

namespace spliced::conn {

struct Incident {
  const char* event = "";   // the log's name for it
  const char* reason = "";  // one of a few fixed words
  std::string route;        // path of the route
  std::string subject;      // the file that was named, or the backend's address
};

class IncidentLog {
 public:
  struct Batch {
    std::vector<Incident> incidents;
    uint64_t lost = 0;  // incidents beyond limits::kIncidentsMax
  };

  // For the engine's thread. Truncates the subject to limits::kIncidentSubjectBytesMax.
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
  // For any thread.
  Batch take() {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(batch_, {});
  }

 private:
  std::mutex mutex_;
  Batch batch_;
};

}  // namespace spliced::conn
