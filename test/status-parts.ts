// SPDX-License-Identifier: Apache-2.0
// Parts of a status that are the same in the samples of the API's and of the page's tests.

export const signatures = {
  made: 3,
  failed: 0,
  turnedAway: 0,
  overdue: 0,
  takenOver: 0,
  waiting: 1,
  threads: 2,
  hanging: 0,
  failing: [],
};

export const http2 = {
  offered: true,
  reason: '',
  connections: 2,
  streams: {
    open: 1,
    ever: 5,
    refused: 0,
    malformed: 0,
    misdirected: 0,
    resetByUs: 0,
    resetByPeer: 1,
    stalled: 0,
  },
  floods: { frames: 0, resets: 0, headers: 0, answers: 0 },
};
