// SPDX-License-Identifier: Apache-2.0
// Every queue, buffer and wait of the data plane has its bound here. Units are in the names.
// Values marked "default" can be set through EngineOptions; the others are fixed.
#pragma once
#include <cstddef>
#include <cstdint>

namespace spliced::limits {

// RFC 8446 5.1: a TLS record carries at most 2^14 bytes of plaintext.
inline constexpr size_t kRecordPlaintextBytes = 16384;

// Connections and listeners.
inline constexpr uint32_t kConnectionsMaxDefault = 512;
inline constexpr uint32_t kConnectionsMaxCeiling = 65535;
// A whole site may be behind one address (NAT): half of the table, enough for some 40 browsers.
inline constexpr uint32_t kConnectionsPerAddressMaxDefault = 256;
inline constexpr uint32_t kHandshakesMaxDefault = 256;  // an SSL object has tens of kilobytes
inline constexpr uint32_t kRequestsPerConnectionMaxDefault = 10'000;
inline constexpr uint32_t kRequestsPerConnectionMaxCeiling = 1'000'000'000;
// Slots beyond connections_max: for connections that are being closed to make room for new ones,
// and for sockets that the closer has not closed yet.
inline constexpr uint32_t kLeavingMax = 32;
// A connection may take this long for its handshake or request before it can be closed to make
// room.
inline constexpr uint64_t kHesitationMs = 2'000;
inline constexpr size_t kRoomLooksMax = 512;  // connections searched for one to close
inline constexpr size_t kRefusalsPerPause =
    64;  // of waiting clients, when there are no descriptors
inline constexpr uint32_t kListenersMax = 8;
inline constexpr uint32_t kTlsGroupsMax = 16;  // names in tls.groups
// Threads that serve. An engine that has not waited for kBusyEngineMs gets no new client, within
// bounds. After kHangingEngineMs it gets none at all. kHandedMax bounds the sockets that are on
// their way from one engine to another.
inline constexpr size_t kEnginesMax = 8;
inline constexpr uint64_t kBusyEngineMs = 5;
inline constexpr uint64_t kHangingEngineMs = 1000;
inline constexpr size_t kHandedMax = 256;
inline constexpr int kListenBacklog = 511;

// One request head (request line and header fields), RFC 9112 3 and 5. A Kerberos ticket of 48,000
// bytes in base64 fits in the most that can be configured.
inline constexpr size_t kHeadBytesMax = 16 * 1024;  // default
inline constexpr size_t kHeadBytesMaxCeiling = 72 * 1024;
inline constexpr size_t kHeadBytesMin = 512;
inline constexpr size_t kTargetBytesMax = 4096;
inline constexpr size_t kTargetBytesMin = 64;
inline constexpr size_t kHeaderFieldsMax = 64;  // default
inline constexpr size_t kHeaderFieldsMaxCeiling = 256;
inline constexpr size_t kHeaderFieldsMin = 8;
inline constexpr size_t kPathBytesMax = 1024;

// Ranges of one request: how many are read, and how many parts an answer has. Ranges that are no
// further apart than the gap are sent as one, as a part's head is longer.
inline constexpr size_t kRangesAskedMax = 64;
inline constexpr size_t kRangesMax = 16;
inline constexpr uint64_t kRangeGapBytes = 50;

// The body of a request whose route takes none, RFC 9112 6: up to so many bytes on the wire are
// read and discarded. A larger body ends the connection after the response.
inline constexpr uint64_t kDiscardedBodyBytesMaxDefault = 64 * 1024;
inline constexpr uint64_t kDiscardedBodyBytesMaxCeiling = 16 * 1024 * 1024;
inline constexpr size_t kChunkLineBytesMax = 256;  // a chunk's size and its extensions
inline constexpr size_t kTrailerBytesMax = 8 * 1024;

// Routes of the configuration (src/config/routes.ts). The daemon may have as many of its own
// beneath /.spliced/. Then: the directories that routes serve, and what a route may add to a
// response. That bound exists because head and body leave in one buffer.
inline constexpr size_t kRoutesMax = 64;
inline constexpr size_t kDirectoriesMax = 1 + 15 + 1;  // the root, the routes', the page's
inline constexpr size_t kRouteFieldsBytesMax = 2048;
inline constexpr size_t kRouteBodyBytesMax = 8 * 1024;
inline constexpr size_t kLocationBytesMax = 4096;

// Backends of proxy routes. Each request of a client has a connection of its own. Of those that
// became idle, at most this many are kept, for this long.
inline constexpr uint32_t kUpstreamsIdleMax = 32;
inline constexpr uint64_t kUpstreamIdleMs = 15'000;
inline constexpr size_t kUpstreamHeadBytesMax = 32 * 1024;  // default
inline constexpr size_t kUpstreamHeadBytesMaxCeiling = 72 * 1024;
inline constexpr size_t kUpstreamHeadBytesMin = 4096;
// What we add to a head that is passed on, beside the route's fields: framing, Date, Connection,
// and the fields that name the client (the subject of a certificate has 512 bytes). Each field may
// grow by a byte.
inline constexpr size_t kPassedHeadExtraBytes = 2048 + 3 * 512 + 256;
inline constexpr size_t kUpstreamFieldsMax = 128;
inline constexpr size_t kForwardedHostBytesMax = 512;  // goes into three fields
inline constexpr uint32_t kInterimResponsesMax = 16;   // 1xx before one response
inline constexpr uint32_t kRetryAfterS = 2;            // a backend that is down
// The body of an answer that is not passed on is read and dropped up to this size, so that its
// connection can be used again.
inline constexpr uint64_t kDroppedBodyBytesMax = 64 * 1024;
// Requests that ask an application whether another request may be served (`authorize`): how many at
// a time, how long one may take, and the fields that its answer may add to the request.
inline constexpr uint32_t kChecksMax = 256;
inline constexpr uint32_t kCheckTimeoutMsDefault = 5'000;
inline constexpr size_t kCheckFieldsMax = 16;
inline constexpr size_t kCheckFieldBytesMax = 8 * 1024;
// Its answers that are remembered: how many for each engine, for how long, and how many bytes of
// fields for each.
inline constexpr size_t kRememberedChecksMax = 256;
inline constexpr uint32_t kCheckRememberMsMax = 60'000;
inline constexpr size_t kRememberedFieldBytesMax = 1024;
// The rate limit of a route's responses, for one connection.
inline constexpr uint64_t kRateMin = 1024;
inline constexpr uint64_t kRateCeiling = 1024ull * 1024 * 1024;
inline constexpr int kPumpsPerTurn = 8;  // of a proxied request, in each direction
// A body goes through a pipe only if at least this much of it is left: less is not worth the calls.
inline constexpr uint64_t kProxySpliceBytesMin = 32 * 1024;
inline constexpr uint32_t kConnectTimeoutMsDefault = 5'000;
inline constexpr uint32_t kResponseTimeoutMsDefault = 60'000;
inline constexpr uint32_t kStreamTimeoutMsDefault = 3'600'000;  // event streams and WebSockets
inline constexpr uint32_t kStreamTimeoutMsCeiling = 86'400'000;

// Input: one buffer holds the rest of one head, and what the client pipelined behind it. A head
// that does not fit gets a larger buffer of its own until it has been handled.
inline constexpr size_t kInputBytes = 16384;
inline constexpr size_t kInputRoomMin = 1024;  // for a read behind a head
inline constexpr size_t kLargeBufferBytesMax = 80 * 1024;
static_assert(kHeadBytesMaxCeiling + kInputRoomMin <= kLargeBufferBytesMax);

// Output: a response head and a small body leave in one record.
inline constexpr size_t kOutputBytes = kRecordPlaintextBytes;
static_assert(kUpstreamHeadBytesMaxCeiling + kRouteFieldsBytesMax + kPassedHeadExtraBytes <=
              kLargeBufferBytesMax);
static_assert(kHeadBytesMaxCeiling + kPassedHeadExtraBytes + kHeaderFieldsMaxCeiling <=
              kLargeBufferBytesMax);
inline constexpr size_t kBuffersKeptMax = 64;

// One piece of a file to be sent: the default capacity of a pipe (fs/pipe.c: 16 pages), four full
// records. The bound on one call also bounds the kernel's tx_list, which has no bound of its own
// (net/tls/tls_sw.c).
inline constexpr size_t kPieceBytes = 65536;
// How far ahead the page cache is probed. What is cached is sent in pieces as large as the window
// allows.
inline constexpr size_t kBurstBytes = 1024 * 1024;
static_assert(kPieceBytes % kRecordPlaintextBytes == 0, "middle pieces must end on a record");
// TLS in user space: from so many bytes on, what OpenSSL has written is sent before it writes more.
// Four full records, and a head before them, leave by one call.
inline constexpr size_t kSendBytes = kPieceBytes;
inline constexpr uint32_t kPipesKeptMax = 64;
// Samples of a body that are kept while it is sent (conn/file/witness.hpp), and the bytes of
// each.
inline constexpr size_t kWitnessesMax = 16;
inline constexpr size_t kWitnessBytes = 16;
inline constexpr int kStepsPerTurn = 24;  // of a connection's states; about eight small requests
// Checked after each piece: with the default window a turn has two pieces.
inline constexpr uint64_t kBytesPerTurn = 256 * 1024;
inline constexpr int kDiscardsPerTurn = 4;

// For all loopback connections that test kernel TLS together, on the Node thread at the start.
inline constexpr uint64_t kProbeConnectMs = 500;

// HTTP/2 (RFC 9113). kStreamsMax*: streams that a client may have open at a time.
// kEngineStreamsMax: streams of all connections of one engine, each some 700 bytes. One more is
// refused with REFUSED_STREAM, and the client may try again.
inline constexpr uint32_t kStreamsMaxDefault = 64;
inline constexpr uint32_t kStreamsMaxCeiling = 256;
inline constexpr size_t kEngineStreamsMax = 4096;
// The token of a completion names the slot of a connection or, from this number on, the slot of a
// stream.
inline constexpr uint32_t kFirstStreamSlot = 1u << 20;
static_assert(kFirstStreamSlot > kConnectionsMaxCeiling + kLeavingMax + 1);
// Of the streams of one connection, so many may hold a response buffer at a time; the others wait
// with their head alone. So many may hold a pipe, for files that are not in the page cache.
inline constexpr size_t kStreamBuffersMax = 16;
inline constexpr size_t kStreamPipesMax = 4;
// Flow-control windows (RFC 9113 5.2): bytes of request bodies that wait here for their receiver,
// of one stream, and of all streams of a connection.
inline constexpr uint32_t kStreamWindowBytes = 65'535;
inline constexpr uint32_t kConnectionWindowBytes = 262'144;
// The window of an upload's stream is as large as one of its pipes, and its connection's window
// grows by the same. With 64 KiB an upload would get no more than that for each round trip.
inline constexpr uint32_t kUploadWindowBytes = 256 * 1024;
// A header block: of a request, of its trailers, or of a stream that was refused. The bound holds
// for its compressed size and for its size after HPACK, kept or not. A larger one ends the
// connection.
inline constexpr size_t kHeaderBlockBytesMax = 128 * 1024;
static_assert(kHeaderBlockBytesMax > kHeadBytesMaxCeiling);
// Of a response, as nghttp2 reckons before it packs it: names, values, and 13 bytes for each field.
// Beyond that it would send nothing at all.
inline constexpr size_t kSentHeaderBlockBytesMax = 96 * 1024;
static_assert(kLargeBufferBytesMax + 13 * 2 * (kUpstreamFieldsMax + kHeaderFieldsMaxCeiling) <=
              kSentHeaderBlockBytesMax);
// A DATA frame with its header is one record, so that none is closed short.
inline constexpr size_t kFramePayloadBytes = kRecordPlaintextBytes - 9;
// So many leave by one call, from a pipe (conn/h2/batch.hpp). A frame's head is a piece of it, and
// so is each page of its payload.
inline constexpr size_t kFramesPerCall = 12;
inline constexpr size_t kFramesPipeBytes = 512 * 1024;
// Of files, in the address space of an engine, kFramesPerCall of them at most
// (os/mapped_windows.hpp).
inline constexpr size_t kWindowBytes = 1024 * 1024;
inline constexpr uint64_t kWindowKeptMs = 1'000;  // unused
static_assert(kFramesPerCall * (kFramePayloadBytes / 4096 + 3) <= kFramesPipeBytes / 4096);
// The smallest room in the output for which another frame is begun.
inline constexpr size_t kFrameRoomMin = 512;
// Records from memory for a client whose round trip is at least this long: closed once they have so
// many bytes, for the first so many of a connection, and again after it has sent nothing for so
// long (TCP begins anew after a retransmission time-out, which is less).
inline constexpr uint32_t kFarRoundTripUs = 5'000;
inline constexpr size_t kEarlyRecordBytes = 4 * 1024;
inline constexpr uint64_t kEarlyBytes = 1024 * 1024;
inline constexpr uint64_t kEarlyAgainMs = 1'000;
// Frames that ask for nothing: PING, SETTINGS, PRIORITY, empty DATA, CONTINUATION, unknown types,
// and WINDOW_UPDATE beyond those that our DATA explains. So many are accepted at once, and so many
// more each second.
inline constexpr uint32_t kIdleFramesMax = 512;
inline constexpr uint32_t kIdleFramesPerS = 64;
inline constexpr uint32_t kIdleFramesPerData = 4;
// RST_STREAM from either side, bounded likewise: a browser that leaves a page resets the streams
// that it waited for.
inline constexpr uint32_t kStreamResetsMax = 200;
inline constexpr uint32_t kStreamResetsPerS = 20;
// Answers to PING and SETTINGS that wait for a client that does not read.
inline constexpr size_t kFrameAnswersMax = 64;
// Between the first GOAWAY of a stop and the last one: requests that were on their way are still
// served.
inline constexpr uint64_t kGoAwayGraceMs = 500;

// Uploads. While one pipe is written to the file, the other is filled. Their pages are the only
// memory that holds the body.
inline constexpr size_t kUploadsMax = 4;  // tickets at a time
inline constexpr size_t kUploadIdBytesMax = 64;
inline constexpr size_t kUploadPipeBytes = 512 * 1024;
static_assert(kUploadWindowBytes <= kUploadPipeBytes);
// Places that the pieces of one received record take in a pipe, at most: kernel pages of 4 KiB when
// there are no larger ones (net/tls/tls_sw.c: tls_alloc_clrtxt_skb), and one more for both ends.
inline constexpr unsigned kPipePlacesPerRecord = kRecordPlaintextBytes / 4096 + 2;
inline constexpr int kUploadRecordsPerTurn = 16;
// If a writer has written nothing for this long, another client that wants to continue takes its
// place.
inline constexpr uint64_t kUploadQuietMs = 5'000;
// A power cut loses at most this much of an upload, or what arrived in this time.
inline constexpr uint64_t kUploadSyncBytes = 16 * 1024 * 1024;
inline constexpr uint64_t kUploadSyncMs = 5'000;
// The digest follows the writer in steps of this size, and reads so much at a time.
inline constexpr size_t kUploadHashBytes = 1024 * 1024;
inline constexpr size_t kUploadReadBytes = 128 * 1024;
inline constexpr uint64_t kUploadTellMs = 500;  // between two reports of progress
// After its last byte a client waits at most this long for the digest, the sync to the medium and
// the daemon's answer.
inline constexpr uint64_t kUploadSettleMs = 600'000;

// Bytes that TCP holds beyond what is in flight (TCP_NOTSENT_LOWAT): without it the send buffer of
// a stalled client grows to tcp_wmem's maximum, 4 MiB by default.
inline constexpr int kUnsentBytesMax = 64 * 1024;

// Bytes that may be pending in the TLS layer of one connection before its transfer pauses.
inline constexpr uint64_t kPendingWindowBytesDefault = 256 * 1024;
inline constexpr uint8_t kBoundsSkipped = 3;  // looks at them that are exact, after a bound in vain
// A piece must fit beside an open record, which stays pending until it is closed.
inline constexpr uint64_t kPendingWindowBytesMin = 2 * kPieceBytes;

// Work that a client can cause without a request. In one turn OpenSSL takes at most this many
// records of a connection, of any type: the sixteen of an upload, and some beside them. With kernel
// TLS the number of reads is the bound; each read takes at most what the receive buffer holds.
inline constexpr size_t kRecordsPerTurn = 32;
inline constexpr int kReadsPerTurn = 16;  // of a request's head
// Records without data in a row: KeyUpdates, warnings, empty records, fragments of handshake
// messages. OpenSSL accepts as many empty ones (MAX_EMPTY_RECORDS).
inline constexpr size_t kRecordsWithoutDataMax = 32;
// Answers to such records (27 bytes to a KeyUpdate) that wait for a client that does not read.
inline constexpr size_t kAnswerBytesMax = 1024;
// A read has at least this much room, so that an alert or a KeyUpdate is seen whole.
inline constexpr size_t kControlBytesMin = 16;
inline constexpr int kTicketsTriedMax = 8;  // of those that a ClientHello offers (RFC 8446 4.2.11)

// Records under one key. RFC 8446 5.5 allows 2^24.5 full records for AES-GCM. Before 2^24 a
// connection gets new keys, or ends if the kernel cannot change them. The margin is for what one
// response adds after the check, and for what a peer may send before it has seen our request for
// new keys.
inline constexpr uint64_t kRecordsToUpdateKeys = 1ull << 16;
inline constexpr uint64_t kRecordsPerKeyMax = (1ull << 24) - kRecordsToUpdateKeys;
// The part of that margin that the streams under way may use.
inline constexpr uint64_t kRecordsToEndStreams = 1ull << 15;

// Open files that are kept, each with up to three siblings in other codings, and beside them small
// bodies that are kept in memory.
inline constexpr size_t kFilesKeptMax = 64;
inline constexpr uint64_t kFileKeptMs = 10'000;  // unused: a deleted file must not hold its blocks
inline constexpr int64_t kSettledFileS =
    2;  // a younger change may share its time stamp with the next
// A body that is kept leaves with its head in one call. Its bound is what one read of the ring
// brings, which fits the smallest window. The second bound is for all kept bodies of one engine.
inline constexpr size_t kKeptBodyBytesMax = kPieceBytes;
inline constexpr size_t kKeptBodiesBytesMax = 2 * 1024 * 1024;

// Waits, in milliseconds.
inline constexpr uint32_t kHandshakeTimeoutMsDefault = 10'000;
inline constexpr uint32_t kHeadTimeoutMsDefault = 15'000;
inline constexpr uint32_t kRequestTimeoutMsDefault = 30'000;  // head and body, from the first byte
inline constexpr uint32_t kIdleTimeoutMsDefault = 60'000;
inline constexpr uint32_t kStallTimeoutMsDefault = 30'000;  // no byte acknowledged for so long
// Bytes a second, measured over a stall time-out.
inline constexpr uint32_t kSendRateMinDefault = 256;
inline constexpr uint32_t kSendRateMinCeiling = 1024 * 1024;
inline constexpr uint32_t kDrainTimeoutMsDefault = 600'000;  // a whole drain, progress or not
inline constexpr uint32_t kLingerTimeoutMsDefault = 5'000;   // for the peer's FIN, after our own
inline constexpr uint32_t kStopTimeoutMsDefault = 30'000;
// Nothing signals an empty backlog: look this often, and less often while nothing moves.
inline constexpr uint32_t kTickMs = 10;
inline constexpr uint32_t kTickMsMax = 160;
inline constexpr uint32_t kIdleTickMs =
    40;  // after a response: the next request is the better sign
// Between two looks at the wall clock, of which its seconds are used.
inline constexpr uint64_t kWallClockMs = 100;
// At a stop, a connection without a response yet has this long for its first request: its client
// connected before the stop and has no other server.
inline constexpr uint64_t kFirstRequestMs = 2'000;
// A thread that has not ended this long after it was told to hangs in the kernel.
inline constexpr uint32_t kCloseWaitMs = 5'000;
inline constexpr uint32_t kAcceptPauseMs = 100;  // after EMFILE, ENFILE, ENOBUFS or ENOMEM

// How long bytes may wait for the cipher alone while TCP has nothing left to send. The work queues
// of a loaded machine are late by milliseconds; after this time the bytes are not expected any
// more.
inline constexpr uint32_t kCipherStuckMs = 10'000;

// The canary's body: several records, larger than a small body, and a multiple of neither.
inline constexpr size_t kCanaryBytesMax = 1024 * 1024;
// Slots for the canary, beyond those for clients: a full table must not look like a service that
// hangs.
inline constexpr uint32_t kCanarySlots = 1;

// Connections that have ended and wait for the log, when connections are logged. The rest are only
// counted.
inline constexpr size_t kConnectionRecordsMax = 512;
// Likewise clients that were refused for their certificate.
inline constexpr size_t kRefusalRecordsMax = 64;
// Likewise requests that got no answer because of a backend's answer or of the configuration.
inline constexpr size_t kIncidentsMax = 64;
inline constexpr size_t kIncidentSubjectBytesMax = 256;

// What the daemon adds to the status document, which leaves with its head in one output buffer.
inline constexpr size_t kAnnotationsMax = 8;
inline constexpr size_t kAnnotationBytesMax = 4 * 1024;
inline constexpr size_t kAnnotationsBytesMax = kOutputBytes / 2;  // all together

// Session-ticket keys (RFC 5077 5.5): a key encrypts for one period and decrypts for two.
inline constexpr uint64_t kTicketKeyPeriodMs = 12ull * 3600 * 1000;

// Signatures with keys that are not in memory. Threads of the whole process; one key uses at most
// half of them, so that a token that hangs leaves some to the others. Then the handshakes that may
// wait for a signature.
inline constexpr size_t kSigningThreadsMax = 8;
inline constexpr size_t kSigningThreadsPerKey = 4;
inline constexpr size_t kSignaturesWaitingMax = 128;
// A handshake waits at most this long for its turn and its signature. A token that has not answered
// for half of it counts as hanging.
inline constexpr uint32_t kSignatureWaitMs = 8'000;
inline constexpr uint64_t kTokenHangsMs = kSignatureWaitMs / 2;
// A stop waits this long for a signature under way.
inline constexpr uint32_t kSigningStopMs = 1'000;
// A key that fails is not used for this long, and twice as long after each further failure.
inline constexpr uint64_t kKeyPauseMs = 10'000;
inline constexpr uint64_t kKeyPauseMsMax = 300'000;
inline constexpr size_t kKeysKnownMax = 128;  // keys whose state is remembered
inline constexpr size_t kKeysShownMax = 8;    // of them, those in the status
inline constexpr size_t kKeyNameShownMax = 120;

// Client certificates: what is read of the configuration, and what a client may send.
inline constexpr size_t kClientAuthoritiesMax = 64;  // CA certificates, and lists, in one bundle
inline constexpr int kClientChainDepthMax = 4;       // CAs between the leaf and its root
inline constexpr long kClientCertificatesBytesMax = 32 * 1024;  // its whole Certificate message
inline constexpr size_t kRequiredPrefixesMax = 64;

// Ring sizes.
inline constexpr unsigned kRingEntries = 512;
inline constexpr unsigned kRingCompletions = 4096;
inline constexpr unsigned kRingWorkersMax = 4;

}  // namespace spliced::limits
