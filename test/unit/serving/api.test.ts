// SPDX-License-Identifier: Apache-2.0
// The API that cannot be opened: what the log says of it while the service runs, and that it says
// nothing of one that the service's end overtook.

import t, { type Test } from 'tap';
import { Events } from '../../../src/base/events.js';
import { loadConfiguration } from '../../../src/config/configuration.js';
import type { Log } from '../../../src/log/log.js';
import { ApiServing, type ApiServingParts } from '../../../src/serving/api.js';

/** An API that fails late, as behind an engine that was closed; what is logged; its outcome. */
function failing(t: Test) {
  const stateDir = t.testdir();
  const env = { SPLICED_STATE_DIR: stateDir, SPLICED_ROOT: stateDir };
  const { configuration } = loadConfiguration({}, { env, defaultPath: '/nonexistent' });
  const said: unknown[] = [];
  const note = (line: object): void => void said.push(line);
  let outcome: Promise<unknown> | undefined;
  const parts = {
    configuration,
    runDir: stateDir,
    service: {
      stats: () => {
        throw new Error('the engine has been closed');
      },
    },
    log: { info: () => {}, warn: note, error: note } as unknown as Log,
    events: new Events(),
    update: { service: {} },
    uploads: { service: {} },
    housekeeping: {
      keep: (_what: string, work: () => unknown) => {
        outcome = Promise.resolve(work());
        return outcome;
      },
    },
  };
  const api = new ApiServing(parts as unknown as ApiServingParts);
  const start = async (): Promise<void> => {
    api.start(undefined as never);
    await outcome;
  };
  return { api, start, said };
}

t.test('while the service runs', async (t) => {
  const { api, start, said } = failing(t);
  await t.rejects(start(), { message: 'the engine has been closed' });
  t.same(said, [{ event: 'api_unavailable', reason: 'the engine has been closed' }]);
  await api.close();
});

t.test('when the service has ended meanwhile', async (t) => {
  const { api, start, said } = failing(t);
  const started = start();
  await api.close();
  await started;
  t.same(said, []);
});
