// SPDX-License-Identifier: Apache-2.0
// The one rule for text from outside (of a client, a bundle, a certificate, firmware) that a person
// sees: characters that control a terminal or the order of a line, and invisible ones, are written as
// \\uXXXX. JSON writes them likewise, so that a JSON text keeps its meaning. Everything that logs or
// shows text uses this; ui/ imports it as well. Must import nothing.

// C0, DEL and C1; the marks and embeddings of bidirectional text (UAX 9); line and paragraph
// separators; halves of surrogate pairs. Bytes that are no UTF-8 are U+FFFD by then, which is seen.
const unseen = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;
const unseenButLayout = /(?![\n\t])[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

const codeOf = (found: string): string => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** One piece of text: a name, a word. */
export const visible = (text: string): string => text.replace(unseen, codeOf);

/** Lines and tabs of our own stay. */
export const visibleLines = (text: string): string => text.replace(unseenButLayout, codeOf);

/** JSON for programs that a terminal may show too: the same value, written in what can be seen. */
export const visibleJson = (value: unknown, space?: number): string =>
  visibleLines(JSON.stringify(value, undefined, space));

/** Whether all of it can be seen as it is. */
export const isVisible = (text: string): boolean => text.search(unseen) === -1;
