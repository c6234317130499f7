// SPDX-License-Identifier: Apache-2.0
// The operators' page: puts its parts together. device.ts asks the device each second; what needs a
// credential begins when somebody has signed in.

import { AccountView } from './account.js';
import { Unreachable } from './api.js';
import { reloadWhenNewer, showNotice, takeNote } from './build.js';
import { CertificatesView } from './certificates.js';
import { Device } from './device.js';
import type { Status } from './documents.js';
import { announce, byId, say } from './dom.js';
import { Figures } from './figures.js';
import { duration } from './format.js';
import { HistoryView } from './history.js';
import { LogView } from './log.js';
import { Operation } from './operate.js';
import { PeopleView } from './people.js';
import { PowerView } from './power.js';
import { showLimits } from './roles.js';
import { watchSections } from './sections.js';
import { Session } from './session.js';
import { SystemView } from './system.js';
import { UpdateView } from './update.js';
import { showLost, showVerdict } from './verdict.js';

interface Awaited {
  what: string;
  link: string;
}

let latest: Status | undefined;
let latestAt: Date | undefined;

function showLink(state: 'good' | 'bad' | 'waiting', text: string): void {
  byId('link').dataset.state = state;
  say('link-text', text);
}

const session = new Session(() => {
  certificates.accessChanged();
  update.accessChanged();
  log.accessChanged();
  operation.accessChanged();
  account.accessChanged();
  people.accessChanged();
  showLimits(session.who);
});
const certificates = new CertificatesView(session);
const account = new AccountView(session);
const people = new PeopleView(session, () => void account.refresh());
const log = new LogView(session);
const update = new UpdateView(session, {
  onChange: () => {
    device.isAwaited = awaited() !== undefined;
    if (latest !== undefined && !device.isLost) showVerdict(latest, update.document);
  },
  onBuild: () => void reloadWhenNewer(() => update.isBusy),
  onDevice: (document) => power.take(document),
});
const power = new PowerView(session, () => {
  device.isAwaited = awaited() !== undefined;
});
const operation = new Operation(session, (action) => power.ask(action));

/** What it was asked for before it went; undefined: nothing. */
function awaited(): Awaited | undefined {
  if (power.state === 'powering-off') {
    return { what: 'The device has been powered off.', link: 'Powered off' };
  }
  const isRestarted = power.state === 'restarting' || update.document?.state === 'restarting';
  return isRestarted ? { what: 'The device is being restarted.', link: 'Restarting' } : undefined;
}
const figures = new Figures();

const device = new Device({
  onStatus: (status) => {
    latest = status;
    latestAt = new Date();
    showLink('good', 'Connected');
    figures.show(status);
    certificates.showBrief(status.certificates ?? []);
    showVerdict(status, update.document);
    if (session.access === 'unknown') void session.begin();
  },
  onLost: (lostMs, retryMs, reason) => {
    const isCrowded = reason instanceof Unreachable && reason.isCrowded;
    const why = isCrowded ? undefined : awaited();
    const what = why?.what ?? reason.message;
    const since = lostMs < 1000 ? '' : ` For ${duration(lostMs)} now.`;
    say('offline-text', `${what}${since} Trying again in ${Math.ceil(retryMs / 1000)} s.`);
    if (byId('offline').hidden) announce(what);
    showLost(what, latestAt);
    byId('offline').hidden = false;
    showLink('bad', why?.link ?? (isCrowded ? 'No connection left' : 'No answer'));
  },
  onBack: (isRestarted) => {
    byId('offline').hidden = true;
    announce('The device answers again.');
    if (isRestarted) showNotice('The service was started anew: its figures begin from zero.');
    void update.refresh();
    void power.refresh();
    void reloadWhenNewer(() => update.isBusy);
  },
  onRefused: async () => {
    showLink('waiting', 'Not signed in');
    say('verdict', 'Sign in to see how the device does');
    await session.begin();
    if (session.access === 'refused') session.ask();
    await session.granted();
  },
});

say('host', location.hostname);
document.title = `${location.hostname} – spliced`;
showNotice(takeNote());
watchSections();
byId('notice-close').addEventListener('click', () => showNotice(undefined));
// A file that misses the place to drop it must not replace the page.
for (const name of ['dragover', 'drop']) {
  document.addEventListener(name, (event) => event.preventDefault());
}
void device.watch();
void new SystemView(session).watch();
void new HistoryView(session).watch();
