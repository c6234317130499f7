// SPDX-License-Identifier: Apache-2.0
// A backend's answer that names a file: from Exchange to that file's response, which then goes the
// way of any other (lookup.cpp, file_response.cpp), with the backend's fields in its head. The
// backend's connection is free from here on; a file cannot hand over again.
#pragma once
#include <string_view>

#include "conn/request/exchange.hpp"
#include "conn/request/handed_over.hpp"
#include "http/response.hpp"

namespace spliced::conn {

// Exchange -> OpenFile, Respond; the answer's head is at the front of from_upstream. Always Ended.
Flow hand_over(Services& s, Request& r, std::string_view head, const http::UpstreamHead& parsed,
               const http::NamedFile& named);
// The file that was named cannot be sent: a line in the log, and `status`. The head stands for the
// request's own. To be followed by end_request().
void fail_hand_over(Services& s, Request& r, const http::RequestHead& request, uint16_t status);

// The head of the request in whose place the file is asked for.
http::RequestHead head_of_handed(const Request& r);
// Of the file's response: what stays of the backend's head, where the file or a part of it, or 304,
// is the answer.
void add_kept_fields(const Request& r, http::ResponseHead& head);
// The media type for the parts of several ranges, or `otherwise`; at most kFieldValueBytesMax.
std::string_view type_of_parts(const Request& r, std::string_view otherwise);

}  // namespace spliced::conn
