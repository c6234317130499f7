// SPDX-License-Identifier: Apache-2.0
// Why a request had no answer in time: the device, or this browser. A browser has six connections for
// one host; a seventh request waits until one is free, and nothing tells that apart from a device that
// is silent. A WebSocket has connections of its own: what the device answers to one (it refuses, and
// that is enough) shows that it is there.

const answerMs = 3_000;

/** The device answers, though not to what has waited for a connection. */
export function answersOtherwise(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = new WebSocket(new URL(path, `wss://${location.host}`));
    const settle = (isThere: boolean): void => {
      clearTimeout(timer);
      socket.onerror = null;
      socket.onopen = null;
      socket.close();
      resolve(isThere);
    };
    const timer = setTimeout(() => settle(false), answerMs);
    socket.onerror = () => settle(true);
    socket.onopen = () => settle(true);
  });
}
