// SPDX-License-Identifier: Apache-2.0
// The nghttp2 of the process: looked up by name when it is first asked for, never linked, so that
// the addon loads where there is none. Node's official binaries export theirs, distributions' Node
// brings libnghttp2.so.14. docs/HTTP2.md has what was found where.
#pragma once
#include "h2/abi.hpp"

namespace spliced::h2 {

struct Library {
  using Session = abi::Session;
  using Callbacks = abi::Callbacks;
  using Option = abi::Option;

  int (*callbacks_new)(Callbacks**);
  void (*callbacks_del)(Callbacks*);
  void (*set_on_begin_frame)(Callbacks*, abi::OnBeginFrame);
  void (*set_on_begin_headers)(Callbacks*, abi::OnFrame);
  void (*set_on_header)(Callbacks*, abi::OnField);
  void (*set_on_invalid_header)(Callbacks*, abi::OnField);
  void (*set_on_frame_recv)(Callbacks*, abi::OnFrame);
  void (*set_on_frame_send)(Callbacks*, abi::OnFrame);
  void (*set_on_data)(Callbacks*, abi::OnData);
  void (*set_on_close)(Callbacks*, abi::OnClose);
  void (*set_send_data)(Callbacks*, abi::SendData);

  int (*option_new)(Option**);
  void (*option_del)(Option*);
  void (*option_no_auto_window)(Option*, int);
  void (*option_max_outbound_ack)(Option*, size_t);
  void (*option_no_closed_streams)(Option*, int);
  void (*option_max_sent_header_block)(Option*, size_t);
  void (*option_builtin_extension)(Option*, uint8_t);

  int (*server_new)(Session**, const Callbacks*, void*, const Option*);
  void (*session_del)(Session*);
  ssize_t (*receive)(Session*, const uint8_t*, size_t);
  ssize_t (*send)(Session*, const uint8_t**);
  int (*want_read)(Session*);
  int (*want_write)(Session*);
  int (*submit_settings)(Session*, uint8_t, const abi::Setting*, size_t);
  int (*submit_response)(Session*, int32_t, const abi::Field*, size_t, const abi::DataProvider*);
  int32_t (*submit_headers)(Session*, uint8_t, int32_t, const abi::PrioritySpec*, const abi::Field*,
                            size_t, void*);
  int (*submit_trailer)(Session*, int32_t, const abi::Field*, size_t);
  int (*submit_reset)(Session*, uint8_t, int32_t, uint32_t);
  int (*submit_goaway)(Session*, uint8_t, int32_t, uint32_t, const uint8_t*, size_t);
  int (*submit_shutdown_notice)(Session*);
  int (*terminate)(Session*, uint32_t);
  int (*resume_data)(Session*, int32_t);
  int (*consume)(Session*, int32_t, size_t);
  int (*consume_connection)(Session*, size_t);
  int32_t (*last_processed_stream)(Session*);
  int (*set_local_window)(Session*, uint8_t, int32_t, int32_t);
  int32_t (*remote_window)(Session*);
  int32_t (*stream_remote_window)(Session*, int32_t);
  void* (*stream_data)(Session*, int32_t);
  int (*set_stream_data)(Session*, int32_t, void*);
  int (*get_priority)(Session*, abi::ExtendedPriority*, int32_t);  // null before 1.53
  int (*change_priority)(Session*, int32_t, const abi::ExtendedPriority*, int);
};

// Null where the process has no nghttp2, or one that lacks a function (before 1.48).
const Library* library();
// The name of the first function that was not found; empty: there is none missing.
const char* missing();

}  // namespace spliced::h2
