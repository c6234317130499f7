// SPDX-License-Identifier: Apache-2.0
// src/supervision/status-words.ts: the words of each situation, and when they are sent.

import t from 'tap';
import {
  keepStatusFresh,
  type StatusFacts,
  statusWords,
} from '../../../src/supervision/status-words.js';

const driver = { name: 'gcm-aes-caam', async: true };
const facts: StatusFacts = {
  urls: ['https://0.0.0.0/'],
  figures: { connections: { open: 2 }, offload: { kernel: 'available', mode: 'auto', driver } },
  certificateDaysLeft: 364,
  refusedErrors: 0,
};

t.test('statusWords', async (t) => {
  const start = 'Serving https://0.0.0.0/: 2 connections, ';
  const kernel = 'kernel TLS by gcm-aes-caam (asynchronous)';
  t.equal(statusWords(facts), `${start}${kernel}, certificate valid for 364 days`);
  const withOffload = (offload: StatusFacts['figures']['offload']) =>
    statusWords({ ...facts, figures: { ...facts.figures, offload } });
  t.match(
    withOffload({ kernel: 'available', mode: 'off', driver }),
    /, user-space TLS \(kernel TLS is off\), /,
  );
  t.match(withOffload({ kernel: 'no CONFIG_TLS', mode: 'auto', driver }), /, user-space TLS, /);
  t.match(withOffload({ kernel: 'available', mode: 'auto' }), /, kernel TLS, /);
  t.match(statusWords({ ...facts, certificateDaysLeft: 1 }), /valid for 1 day$/);
  const soon = { ...facts, certificateDaysLeft: 13, certificateEndsSoon: true };
  t.match(statusWords(soon), /, certificate ENDS in 13 days$/);
  t.match(statusWords({ ...facts, certificateDaysLeft: undefined }), /the clock is not set$/);
  t.match(statusWords({ ...facts, certificateDaysLeft: -3 }), /certificate EXPIRED 3 days ago$/);
  t.match(
    statusWords({ ...facts, refusedErrors: 2 }),
    /days; the new configuration was refused \(2 errors in the log\)$/,
  );
  const waiting = (...keys: string[]) => statusWords({ ...facts, waiting: keys });
  t.match(waiting('listen'), /days; listen waits for a restart$/);
  t.match(waiting('listen', 'root'), /days; listen, root wait for a restart$/);
  t.match(waiting('a', 'b', 'c', 'd', 'e'), /; a, b, c and 2 more wait for a restart$/);
});

t.test('keepStatusFresh sends what has changed', async (t) => {
  let words = 'one';
  const sent: string[] = [];
  const sentFirst = new Promise<void>((resolve) => {
    const stop = keepStatusFresh(
      () => words,
      (text) => {
        sent.push(text);
        if (text === 'two') words = 'three';
        if (text === 'three') resolve();
      },
      1,
    );
    t.teardown(stop);
  });
  words = 'two';
  const holdOpen = setInterval(() => {}, 1000); // the refreshing holds no process open
  await sentFirst;
  clearInterval(holdOpen);
  t.same(sent, ['two', 'three']);
});
