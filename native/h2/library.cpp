// SPDX-License-Identifier: Apache-2.0
// See library.hpp.
#include "h2/library.hpp"

#include <dlfcn.h>

#include <cstring>

namespace spliced::h2 {
namespace {

struct Search {
  Library found{};
  const char* missing = "";

  // False: it is not there, and `function` is null.
  template <class Function>
  bool take_if_there(Function& function, const char* name) {
    void* const symbol = ::dlsym(RTLD_DEFAULT, name);
    static_assert(sizeof symbol == sizeof function);
    std::memcpy(&function, &symbol, sizeof symbol);
    return symbol != nullptr;
  }
  template <class Function>
  void take(Function& function, const char* name) {
    if (!take_if_there(function, name) && *missing == '\0') missing = name;
  }

  Search() {
    Library& l = found;
    take(l.callbacks_new, "nghttp2_session_callbacks_new");
    take(l.callbacks_del, "nghttp2_session_callbacks_del");
    take(l.set_on_begin_frame, "nghttp2_session_callbacks_set_on_begin_frame_callback");
    take(l.set_on_begin_headers, "nghttp2_session_callbacks_set_on_begin_headers_callback");
    take(l.set_on_header, "nghttp2_session_callbacks_set_on_header_callback");
    take(l.set_on_invalid_header, "nghttp2_session_callbacks_set_on_invalid_header_callback");
    take(l.set_on_frame_recv, "nghttp2_session_callbacks_set_on_frame_recv_callback");
    take(l.set_on_frame_send, "nghttp2_session_callbacks_set_on_frame_send_callback");
    take(l.set_on_data, "nghttp2_session_callbacks_set_on_data_chunk_recv_callback");
    take(l.set_on_close, "nghttp2_session_callbacks_set_on_stream_close_callback");
    take(l.set_send_data, "nghttp2_session_callbacks_set_send_data_callback");
    take(l.option_new, "nghttp2_option_new");
    take(l.option_del, "nghttp2_option_del");
    take(l.option_no_auto_window, "nghttp2_option_set_no_auto_window_update");
    take(l.option_max_outbound_ack, "nghttp2_option_set_max_outbound_ack");
    take(l.option_no_closed_streams, "nghttp2_option_set_no_closed_streams");
    take(l.option_max_sent_header_block, "nghttp2_option_set_max_send_header_block_length");
    take(l.option_builtin_extension, "nghttp2_option_set_builtin_recv_extension_type");
    take(l.server_new, "nghttp2_session_server_new2");
    take(l.session_del, "nghttp2_session_del");
    take(l.receive, "nghttp2_session_mem_recv");
    take(l.send, "nghttp2_session_mem_send");
    take(l.want_read, "nghttp2_session_want_read");
    take(l.want_write, "nghttp2_session_want_write");
    take(l.submit_settings, "nghttp2_submit_settings");
    take(l.submit_response, "nghttp2_submit_response");
    take(l.submit_headers, "nghttp2_submit_headers");
    take(l.submit_trailer, "nghttp2_submit_trailer");
    take(l.submit_reset, "nghttp2_submit_rst_stream");
    take(l.submit_goaway, "nghttp2_submit_goaway");
    take(l.submit_shutdown_notice, "nghttp2_submit_shutdown_notice");
    take(l.terminate, "nghttp2_session_terminate_session");
    take(l.resume_data, "nghttp2_session_resume_data");
    take(l.consume, "nghttp2_session_consume");
    take(l.consume_connection, "nghttp2_session_consume_connection");
    take(l.last_processed_stream, "nghttp2_session_get_last_proc_stream_id");
    take(l.set_local_window, "nghttp2_session_set_local_window_size");
    take(l.remote_window, "nghttp2_session_get_remote_window_size");
    take(l.stream_remote_window, "nghttp2_session_get_stream_remote_window_size");
    take(l.stream_data, "nghttp2_session_get_stream_user_data");
    take(l.set_stream_data, "nghttp2_session_set_stream_user_data");
    (void)take_if_there(l.get_priority, "nghttp2_session_get_extpri_stream_priority");
    take(l.change_priority, "nghttp2_session_change_extpri_stream_priority");
  }
};

const Search& search() {
  static const Search done;
  return done;
}

}  // namespace

const Library* library() {
  return *search().missing == '\0' ? &search().found : nullptr;
}

const char* missing() {
  return search().missing;
}

}  // namespace spliced::h2
