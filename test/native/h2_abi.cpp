// SPDX-License-Identifier: Apache-2.0
// native/h2/abi.hpp against the header of nghttp2 itself: sizes, places, numbers, and the types of
// its functions. What differs does not compile.
#include <doctest/doctest.h>
#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <string>

#include "h2/library.hpp"

namespace {

namespace abi = spliced::h2::abi;

#define SAME(ours, theirs) static_assert((ours) == (theirs))
#define SAME_PLACE(our, our_member, their, their_member)                      \
  static_assert(offsetof(our, our_member) == offsetof(their, their_member) && \
                sizeof(our::our_member) == sizeof(their::their_member))

SAME(abi::kWouldBlock, NGHTTP2_ERR_WOULDBLOCK);
SAME(abi::kDeferred, NGHTTP2_ERR_DEFERRED);
SAME(abi::kTemporalFailure, NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE);
SAME(abi::kPause, NGHTTP2_ERR_PAUSE);
SAME(abi::kBadPreface, NGHTTP2_ERR_BAD_CLIENT_MAGIC);
SAME(abi::kFlooded, NGHTTP2_ERR_FLOODED);
SAME(abi::kDataEof, NGHTTP2_DATA_FLAG_EOF);
SAME(abi::kSettingEnableConnectProtocol, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL);
SAME(abi::kDataNoEndStream, NGHTTP2_DATA_FLAG_NO_END_STREAM);
SAME(abi::kDataNoCopy, NGHTTP2_DATA_FLAG_NO_COPY);
SAME(abi::kFlagEndStream, NGHTTP2_FLAG_END_STREAM);
SAME(abi::kFlagEndHeaders, NGHTTP2_FLAG_END_HEADERS);
SAME(abi::kFlagAck, NGHTTP2_FLAG_ACK);
SAME(abi::kCategoryRequest, NGHTTP2_HCAT_REQUEST);
SAME(abi::kSettingMaxConcurrentStreams, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
SAME(abi::kSettingInitialWindowSize, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
SAME(abi::kSettingMaxHeaderListSize, NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE);
SAME(abi::kSettingNoRfc7540Priorities, NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES);

SAME(sizeof(abi::Field), sizeof(nghttp2_nv));
SAME_PLACE(abi::Field, value, nghttp2_nv, value);
SAME_PLACE(abi::Field, name_bytes, nghttp2_nv, namelen);
SAME_PLACE(abi::Field, value_bytes, nghttp2_nv, valuelen);
SAME_PLACE(abi::Field, flags, nghttp2_nv, flags);
SAME(sizeof(abi::FrameHead), sizeof(nghttp2_frame_hd));
SAME_PLACE(abi::FrameHead, stream_id, nghttp2_frame_hd, stream_id);
SAME_PLACE(abi::FrameHead, type, nghttp2_frame_hd, type);
SAME_PLACE(abi::FrameHead, flags, nghttp2_frame_hd, flags);
SAME(sizeof(abi::PrioritySpec), sizeof(nghttp2_priority_spec));
SAME_PLACE(abi::Headers, category, nghttp2_headers, cat);
SAME_PLACE(abi::Reset, error_code, nghttp2_rst_stream, error_code);
SAME_PLACE(abi::Extension, payload, nghttp2_extension, payload);
SAME_PLACE(abi::PriorityUpdate, stream_id, nghttp2_ext_priority_update, stream_id);
SAME(sizeof(abi::Setting), sizeof(nghttp2_settings_entry));
SAME_PLACE(abi::Setting, value, nghttp2_settings_entry, value);
SAME(sizeof(abi::ExtendedPriority), sizeof(nghttp2_extpri));
SAME_PLACE(abi::ExtendedPriority, incremental, nghttp2_extpri, inc);
SAME(sizeof(abi::DataProvider), sizeof(nghttp2_data_provider));
SAME_PLACE(abi::DataProvider, read, nghttp2_data_provider, read_callback);

}  // namespace

TEST_CASE("every function that is used is in the library") {
  CHECK(std::string(spliced::h2::missing()) == "");
  CHECK(spliced::h2::library() != nullptr);
}
