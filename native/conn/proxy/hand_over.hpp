// SPDX-License-Identifier: Apache-2.0
// A backend's answer that names a file: from Exchange to the response with that file, which goes on
// as any other (lookup.cpp, file_response.cpp), with the backend's fields in its head. The
// backend's connection becomes free here. A file cannot hand over again.
#pragma once
#include <string_view>

#include "conn/proxy/exchange.hpp"
#include "conn/proxy/handed_over.hpp"
#include "http/response.hpp"

namespace spliced::conn {

// Exchange -> OpenFile, Respond. The answer's head is at the front of from_upstream. Always Ended.
Flow hand_over(Services& s, Request& r, std::string_view head, const http::UpstreamHead& parsed,
               const http::NamedFile& named);
// The named file cannot be sent: adds an incident for the log and answers with `status`. `request`
// replaces the client's own head. The caller calls end_request() next.
void fail_hand_over(Services& s, Request& r, const http::RequestHead& request, uint16_t status);

// The head of the request for the handed-over file.
http::RequestHead head_of_handed(const Request& r);
// Adds the backend's fields that stay to the response, if that is the file, a part of it, or 304.
void add_kept_fields(const Request& r, http::ResponseHead& head);
// The media type of the parts of several ranges, or `otherwise`; at most kFieldValueBytesMax.
std::string_view type_of_parts(const Request& r, std::string_view otherwise);

}  // namespace spliced::conn
