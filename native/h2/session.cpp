// SPDX-License-Identifier: Apache-2.0
// See session.hpp.
#include "h2/session.hpp"

#include <string>

#include "h2/library.hpp"

namespace spliced::h2 {
namespace {

constexpr uint8_t kPriorityUpdate = 0x10;  // RFC 9218 7.1
constexpr uint32_t kUsualUrgency = 3;      // RFC 9218 4.1

std::string_view view(const uint8_t* data, size_t bytes) {
  return {reinterpret_cast<const char*>(data), bytes};
}

bool ends_stream(const abi::FrameHead& head) {
  return (head.flags & abi::kFlagEndStream) != 0;
}

}  // namespace

// nghttp2's callbacks; `self` is the Session.
struct Glue {
  static Events& events(void* self) { return *static_cast<Session*>(self)->events_; }

  // RFC 9113 6.3, RFC 9218 7.1: nghttp2 skips such frames, since RFC 7540's priorities are off.
  static void refuse_stream_0(abi::Session* session, int32_t id) {
    if (id == 0) library()->terminate(session, static_cast<uint32_t>(Code::ProtocolError));
  }

  static int on_begin_frame(abi::Session* session, const abi::FrameHead* head, void* self) {
    if (head->type == static_cast<uint8_t>(FrameType::Priority))
      refuse_stream_0(session, head->stream_id);
    events(self).on_frame(static_cast<FrameType>(head->type), head->flags, head->length);
    return 0;
  }

  static int on_begin_headers(abi::Session* session, const abi::Frame* frame, void* self) {
    const Library& l = *library();
    if (frame->headers.category != abi::kCategoryRequest) return 0;
    const int32_t id = frame->head.stream_id;
    void* const stream = events(self).on_head_begun(id);
    if (stream == nullptr) {
      l.submit_reset(session, 0, id, static_cast<uint32_t>(Code::RefusedStream));
      return abi::kTemporalFailure;
    }
    l.set_stream_data(session, id, stream);
    return 0;
  }

  static int on_header(abi::Session* session, const abi::Frame* frame, const uint8_t* name,
                       size_t name_bytes, const uint8_t* value, size_t value_bytes, uint8_t,
                       void* self) {
    const bool is_request = frame->headers.category == abi::kCategoryRequest;
    void* const stream =
        is_request ? library()->stream_data(session, frame->head.stream_id) : nullptr;
    if (stream != nullptr)
      events(self).on_field(view(name, name_bytes), view(value, value_bytes));
    else
      events(self).on_dropped_field(name_bytes + value_bytes);
    return 0;
  }

  // RFC 9113 8.2.1: such a request is malformed. By itself nghttp2 would leave the field out.
  static int on_invalid_header(abi::Session*, const abi::Frame*, const uint8_t*, size_t,
                               const uint8_t*, size_t, uint8_t, void*) {
    return abi::kTemporalFailure;
  }

  static int on_frame_recv(abi::Session* session, const abi::Frame* frame, void* self) {
    const abi::FrameHead& head = frame->head;
    if (head.type == kPriorityUpdate && frame->extension.payload != nullptr) {
      const auto* update = static_cast<const abi::PriorityUpdate*>(frame->extension.payload);
      refuse_stream_0(session, update->stream_id);
      static_cast<Session*>(self)->share_fairly(update->stream_id);
    }
    if (head.type == static_cast<uint8_t>(FrameType::Reset))
      events(self).on_reset(/*ours=*/false, frame->reset.error_code);
    void* const stream = library()->stream_data(session, head.stream_id);
    if (stream == nullptr) return 0;
    const bool head_frame = head.type == static_cast<uint8_t>(FrameType::Headers);
    if (head_frame && frame->headers.category == abi::kCategoryRequest) {
      static_cast<Session*>(self)->share_fairly(head.stream_id);
      events(self).on_head(stream, ends_stream(head));
    } else if (ends_stream(head) &&
               (head_frame || head.type == static_cast<uint8_t>(FrameType::Data))) {
      events(self).on_end(stream);
    }
    return 0;
  }

  static int on_frame_send(abi::Session* session, const abi::Frame* frame, void* self) {
    const auto type = static_cast<FrameType>(frame->head.type);
    if (type == FrameType::Reset) events(self).on_reset(/*ours=*/true, frame->reset.error_code);
    if (type != FrameType::Data && type != FrameType::Headers) return 0;
    void* const stream = library()->stream_data(session, frame->head.stream_id);
    if (stream == nullptr) return 0;
    if (ends_stream(frame->head))
      events(self).on_response_sent(stream);
    else if (type == FrameType::Headers)
      events(self).on_head_sent(stream);
    return 0;
  }

  static int on_data(abi::Session* session, uint8_t, int32_t id, const uint8_t* data, size_t bytes,
                     void* self) {
    void* const stream = library()->stream_data(session, id);
    if (stream != nullptr)
      events(self).on_data(stream, bytes, reinterpret_cast<const char*>(data));
    else
      library()->consume(session, id, bytes);
    return 0;
  }

  static int on_close(abi::Session* session, int32_t id, uint32_t code, void* self) {
    void* const stream = library()->stream_data(session, id);
    if (stream != nullptr) events(self).on_closed(stream, code);
    return 0;
  }

  static ssize_t read(abi::Session*, int32_t, uint8_t*, size_t most, uint32_t* flags,
                      abi::DataSource* source, void* self) {
    const Piece piece = events(self).next_piece(source->pointer, most);
    if (piece.verdict == Piece::Verdict::Later) return abi::kDeferred;
    if (piece.verdict == Piece::Verdict::Failed) return abi::kTemporalFailure;
    *flags |= abi::kDataNoCopy | (piece.ends ? abi::kDataEof : 0);
    if (piece.trailed) *flags |= abi::kDataNoEndStream;
    return static_cast<ssize_t>(piece.bytes);
  }

  static int send_data(abi::Session*, abi::Frame*, const uint8_t* head, size_t bytes,
                       abi::DataSource* source, void* self) {
    events(self).on_data_frame(source->pointer, reinterpret_cast<const char*>(head), bytes);
    return abi::kPause;
  }

  static abi::Session* of(const Session& session) {
    return static_cast<abi::Session*>(session.session_);
  }

  // nghttp2 copies what they show, names in lower case.
  static std::vector<abi::Field> fields_of(const std::vector<Field>& fields) {
    std::vector<abi::Field> views;
    views.reserve(fields.size());
    const auto bytes_of = [](std::string_view text) {
      return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
    };
    for (const Field& field : fields)
      views.push_back(
          {bytes_of(field.name), bytes_of(field.value), field.name.size(), field.value.size(), 0});
    return views;
  }

  static abi::Callbacks* make_callbacks() {
    const Library& l = *library();
    abi::Callbacks* callbacks = nullptr;
    if (l.callbacks_new(&callbacks) != 0) return nullptr;
    l.set_on_begin_frame(callbacks, on_begin_frame);
    l.set_on_begin_headers(callbacks, on_begin_headers);
    l.set_on_header(callbacks, on_header);
    l.set_on_invalid_header(callbacks, on_invalid_header);
    l.set_on_frame_recv(callbacks, on_frame_recv);
    l.set_on_frame_send(callbacks, on_frame_send);
    l.set_on_data(callbacks, on_data);
    l.set_on_close(callbacks, on_close);
    l.set_send_data(callbacks, send_data);
    return callbacks;
  }
};

const char* unavailable_because() {
  if (library() != nullptr) return "";
  static const std::string reason =
      std::string("this process has no nghttp2 that is new enough: ") + missing() + " is missing";
  return reason.c_str();
}

std::unique_ptr<Session> Session::start(Events& events, const Settings& settings) {
  const Library* l = library();
  if (l == nullptr) return nullptr;
  static const abi::Callbacks* const callbacks = Glue::make_callbacks();
  abi::Option* option = nullptr;
  if (callbacks == nullptr || l->option_new(&option) != 0) return nullptr;
  l->option_no_auto_window(option, 1);
  l->option_max_outbound_ack(option, settings.answers_max);
  l->option_max_sent_header_block(option, settings.sent_header_block_bytes_max);
  l->option_no_closed_streams(option, 1);
  l->option_builtin_extension(option, kPriorityUpdate);
  std::unique_ptr<Session> self(new Session);
  self->events_ = &events;
  abi::Session* session = nullptr;
  const int made = l->server_new(&session, callbacks, self.get(), option);
  l->option_del(option);
  if (made != 0) return nullptr;
  self->session_ = session;
  std::vector<abi::Setting> sent = {
      {abi::kSettingMaxConcurrentStreams, settings.streams_max},
      {abi::kSettingInitialWindowSize, settings.stream_window_bytes},
      {abi::kSettingMaxHeaderListSize, settings.header_list_bytes_max},
      {abi::kSettingNoRfc7540Priorities, 1},
  };
  if (settings.connect_protocol) sent.push_back({abi::kSettingEnableConnectProtocol, 1});
  const bool ready =
      l->submit_settings(session, 0, sent.data(), sent.size()) == 0 &&
      l->set_local_window(session, 0, 0, static_cast<int32_t>(settings.connection_window_bytes)) ==
          0;
  return ready ? std::move(self) : nullptr;
}

Session::~Session() {
  if (session_ != nullptr) library()->session_del(Glue::of(*this));
}

Taken Session::receive(std::string_view bytes) {
  const ssize_t taken = library()->receive(
      Glue::of(*this), reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (taken >= 0) return Taken::All;
  if (taken == abi::kFlooded) return Taken::Flooded;
  if (taken != abi::kBadPreface) return Taken::Broken;
  terminate(Code::ProtocolError);  // RFC 9113 3.4
  return Taken::All;
}

std::string_view Session::next() {
  const uint8_t* data = nullptr;
  const ssize_t bytes = library()->send(Glue::of(*this), &data);
  if (bytes < 0) failed_ = true;
  return bytes > 0 ? view(data, static_cast<size_t>(bytes)) : std::string_view();
}

bool Session::wants_to_read() const {
  return library()->want_read(Glue::of(*this)) != 0;
}
bool Session::wants_to_write() const {
  return library()->want_write(Glue::of(*this)) != 0;
}

bool Session::respond(int32_t id, const std::vector<Field>& fields, bool has_body) {
  const std::vector<abi::Field> sent = Glue::fields_of(fields);
  abi::DataProvider body{};
  body.source.pointer = library()->stream_data(Glue::of(*this), id);
  body.read = Glue::read;
  return library()->submit_response(Glue::of(*this), id, sent.data(), sent.size(),
                                    has_body ? &body : nullptr) == 0;
}

void Session::inform(int32_t id, const std::vector<Field>& fields) {
  const std::vector<abi::Field> sent = Glue::fields_of(fields);
  library()->submit_headers(Glue::of(*this), 0, id, nullptr, sent.data(), sent.size(), nullptr);
}

void Session::trail(int32_t id, const std::vector<Field>& fields) {
  const std::vector<abi::Field> sent = Glue::fields_of(fields);
  library()->submit_trailer(Glue::of(*this), id, sent.data(), sent.size());
}

// RFC 9218 10 lets a server share among streams of one urgency as it likes: all alike, so that a
// download holds up nobody. The urgency is the client's.
void Session::share_fairly(int32_t id) {
  const Library& l = *library();
  abi::ExtendedPriority priority{kUsualUrgency, 0};
  if (l.get_priority != nullptr) {
    if (l.get_priority(Glue::of(*this), &priority, id) != 0 || priority.incremental) return;
  }
  priority.incremental = 1;
  // Where nobody says what the client has asked for, it counts for nothing.
  l.change_priority(Glue::of(*this), id, &priority, l.get_priority == nullptr ? 1 : 0);
}

void Session::resume(int32_t id) {
  library()->resume_data(Glue::of(*this), id);
}
void Session::reset(int32_t id, Code code) {
  library()->submit_reset(Glue::of(*this), 0, id, static_cast<uint32_t>(code));
}
void Session::consume(int32_t id, size_t bytes) {
  library()->consume(Glue::of(*this), id, bytes);
}
void Session::consume_for_others(size_t bytes) {
  library()->consume_connection(Glue::of(*this), bytes);
}
void Session::widen(int32_t id, uint32_t bytes) {
  library()->set_local_window(Glue::of(*this), 0, id, static_cast<int32_t>(bytes));
}

bool Session::window_is_closed(int32_t id) const {
  return library()->remote_window(Glue::of(*this)) <= 0 ||
         library()->stream_remote_window(Glue::of(*this), id) <= 0;
}

void Session::announce_end() {
  library()->submit_shutdown_notice(Glue::of(*this));
}
void Session::go_away() {
  library()->submit_goaway(Glue::of(*this), 0, library()->last_processed_stream(Glue::of(*this)),
                           static_cast<uint32_t>(Code::NoError), nullptr, 0);
}
void Session::terminate(Code code) {
  library()->terminate(Glue::of(*this), static_cast<uint32_t>(code));
}

}  // namespace spliced::h2
