// SPDX-License-Identifier: Apache-2.0
// What the update's card shows in each state, and which buttons it has. The choice of a file is a
// button of its own beside the place to drop one, for whoever has no mouse.

import { visible } from '../src/base/visible.js';
import type { Update } from './documents.js';
import { button, byId, h, icon, renderOnce } from './dom.js';
import { bytes, duration, rate } from './format.js';
import type { Progress } from './upload.js';

export interface PanelState {
  /** Undefined: not known yet. */
  update: Update | undefined;
  /** The service has no updates at all. */
  isUnknown: boolean;
  /** What this page sends now. */
  sending: Progress | undefined;
  /** Of what has failed: the step. */
  failedStep: number;
  /** Of the last thing that was asked for. */
  error: string;
}

export interface PanelActions {
  choose: (file: File) => void;
  pause: () => void;
  discard: () => void;
  install: () => void;
  restart: () => void;
}

const stepOf: Record<Update['state'], number> = {
  idle: 0,
  receiving: 0,
  received: 1,
  installing: 2,
  installed: 3,
  failed: 2,
  restarting: 3,
};

/** Where it failed: with a bundle at its installation, or at what came before in this window; without
 * one, the device has come back with what it ran before. */
export const failedStep = (update: Update, stateBefore: string): number => {
  if (update.begunBy === 'other') return stepOf.failed;
  if (update.bundle === null) return stateBefore === 'receiving' ? 0 : 3;
  return stateBefore === 'received' ? 1 : stepOf.failed;
};

function showSteps(step: number, isOver: boolean, isFailed = false): void {
  const current = isFailed ? 'now failed' : 'now';
  for (const [index, item] of [...byId('steps').children].entries()) {
    item.className = index < step || isOver ? 'done' : index === step ? current : '';
    if (index === step && !isOver) item.setAttribute('aria-current', 'step');
    else item.removeAttribute('aria-current');
  }
}

/** A place to drop a file, and a button that chooses one. */
function dropZone(title: string, note: string, { choose }: PanelActions): HTMLElement {
  const input = h('input', { type: 'file', id: 'bundle', class: 'unseen' });
  const label = h('label', { for: 'bundle', class: 'button primary' }, 'Choose a file');
  const zone = h(
    'div',
    { class: 'drop', id: 'drop' },
    icon('file'),
    h('p', { class: 'drop-title' }, title),
    h('p', { class: 'quiet' }, note),
    input,
    label,
  );
  input.addEventListener('change', () => {
    const file = input.files?.[0];
    if (file !== undefined) choose(file);
  });
  zone.addEventListener('dragover', (event) => {
    event.preventDefault();
    if (!input.matches(':disabled')) zone.classList.add('over');
  });
  zone.addEventListener('dragleave', () => zone.classList.remove('over'));
  zone.addEventListener('drop', (event) => {
    event.preventDefault();
    zone.classList.remove('over');
    const file = event.dataTransfer?.files[0];
    if (file !== undefined && !input.matches(':disabled')) choose(file);
  });
  return zone;
}

function bar(id: string, label: string): HTMLElement {
  return h(
    'div',
    { class: 'progress' },
    h('progress', { id, max: '100', 'aria-label': label }),
    h('p', { id: `${id}-text`, class: 'quiet' }),
  );
}

function setBar(id: string, percent: number, text: string): void {
  const element = byId<HTMLProgressElement>(id);
  element.value = percent;
  element.textContent = `${Math.floor(percent)} %`;
  byId(`${id}-text`).textContent = visible(text);
}

function errorOf(text: string): HTMLElement | undefined {
  if (text === '') return undefined;
  return h('p', { class: 'trouble bad', role: 'alert' }, icon('bad'), h('span', {}, text));
}

function facts(bundle: Update['bundle']): HTMLElement {
  const rows: [string, string | null | undefined][] = [
    ['File', bundle?.name],
    ['Size', bundle === null ? null : bytes(bundle.length)],
    ['Version', bundle?.version],
    ['Description', bundle?.description],
    ['For', bundle?.compatible],
    ['SHA-256', bundle?.sha256],
  ];
  const list = h('dl', { class: 'facts' });
  for (const [name, value] of rows) {
    if (value)
      list.append(
        h('dt', {}, name),
        h('dd', {}, name === 'SHA-256' ? h('code', {}, value) : value),
      );
  }
  return list;
}

function sendingPanel(actions: PanelActions): HTMLElement[] {
  return [
    h('p', { class: 'lead', id: 'sending-name' }),
    bar('sending', 'Upload'),
    h(
      'div',
      { class: 'actions' },
      button('Pause', actions.pause),
      button('Discard', actions.discard),
    ),
  ];
}

function showSending({ name, offset, length, bytesPerS, waiting }: Progress): void {
  byId('sending-name').textContent = `Sending ${visible(name)}`;
  const left = bytesPerS > 0 ? `, ${duration(((length - offset) / bytesPerS) * 1000)} left` : '';
  const moving = bytesPerS > 0 ? `, ${rate(bytesPerS)}${left}` : '';
  const share = length > 0 ? (100 * offset) / length : 0;
  setBar('sending', share, waiting || `${bytes(offset)} of ${bytes(length)}${moving}`);
}

const choices = 'A bundle of the installer: .raucb, .swu, or what this device takes.';

/** What waits here has no part in what the state tells of, and can be installed behind it. */
function waitingPanel({ state }: Update, bundle: Update['waiting'], actions: PanelActions): Node[] {
  if (bundle === null) return [];
  if (state === 'installing')
    return [h('p', { class: 'quiet' }, `${bundle.name} waits for its end.`)];
  return [
    h('p', { class: 'quiet' }, 'This bundle waits on the device:'),
    facts(bundle),
    h(
      'div',
      { class: 'actions' },
      button('Install', actions.install),
      button('Discard', actions.discard),
    ),
  ];
}

/** An installation that another program began, such as the client of a fleet. */
function othersPanel(
  update: Update,
  trouble: HTMLElement | undefined,
  actions: PanelActions,
): (Node | undefined)[] | undefined {
  const waiting = waitingPanel(update, update.bundle, actions);
  switch (update.state) {
    case 'installing':
      return [
        h('p', { class: 'lead' }, 'Another program installs an update'),
        bar('installing', 'Installation'),
        trouble,
        ...waiting,
      ];
    case 'installed':
      return [
        h('p', { class: 'lead' }, icon('good'), ` By another program: ${installedWords(update)}`),
        trouble,
        update.restartNeeded
          ? h('div', { class: 'actions' }, button('Restart now', actions.restart, 'primary'))
          : undefined,
        ...waiting,
      ];
    case 'failed':
      return [
        h(
          'p',
          { class: 'lead' },
          'The update of another program has failed. The device goes on with what it runs.',
        ),
        trouble,
        ...(update.bundle === null
          ? [dropZone('Drop a firmware bundle here', choices, actions)]
          : waiting),
      ];
    default:
      return undefined;
  }
}

function panelOf(update: Update, error: string, actions: PanelActions): (Node | undefined)[] {
  const trouble = errorOf(error || (update.state === 'failed' ? (update.error ?? '') : ''));
  const others = update.begunBy === 'other' ? othersPanel(update, trouble, actions) : undefined;
  if (others !== undefined) return others;
  const waiting = waitingPanel(update, update.waiting, actions);
  const discard = button('Discard', actions.discard);
  switch (update.state) {
    case 'idle':
      return [trouble, dropZone('Drop a firmware bundle here', choices, actions)];
    case 'failed':
      return [
        h('p', { class: 'lead' }, 'The update has failed. The device goes on with what it runs.'),
        trouble,
        ...(update.waiting === null
          ? [
              dropZone('Try another bundle', choices, actions),
              h('div', { class: 'actions' }, discard),
            ]
          : waiting),
      ];
    case 'receiving': {
      const { name = 'the bundle', offset = 0, length = 0 } = update.upload ?? {};
      const title = `${bytes(offset)} of ${bytes(length)} of ${name} are here`;
      const note = 'Choose the same file to go on where it stopped.';
      const actionsOf = h('div', { class: 'actions' }, discard);
      return [trouble, dropZone(title, note, actions), actionsOf];
    }
    case 'received':
      return [
        h('p', { class: 'lead' }, 'The bundle is on the device, whole.'),
        facts(update.bundle),
        h(
          'p',
          { class: 'quiet' },
          'The installer verifies its signature before it writes anything.',
        ),
        trouble,
        h('div', { class: 'actions' }, button('Install', actions.install, 'primary'), discard),
      ];
    case 'installing':
      return [
        h('p', { class: 'lead' }, `Installing ${update.bundle?.name ?? 'the bundle'}`),
        bar('installing', 'Installation'),
        h('p', { class: 'quiet' }, 'It goes on when you close this page.'),
        trouble,
        ...waiting,
      ];
    case 'installed':
      return [
        h('p', { class: 'lead' }, icon('good'), ` ${installedWords(update)}`),
        facts(update.bundle),
        trouble,
        h(
          'div',
          { class: 'actions' },
          update.restartNeeded ? button('Restart now', actions.restart, 'primary') : undefined,
          update.waiting === null ? discard : undefined,
        ),
        ...waiting,
      ];
    case 'restarting':
      return [
        h('p', { class: 'lead' }, 'The device is being restarted.'),
        h('progress', { 'aria-label': 'Restart' }),
        h('p', { class: 'quiet' }, 'Leave this page open: it comes back with the device.'),
      ];
  }
}

const installedWords = ({ restartNeeded }: Update): string =>
  restartNeeded ? 'Installed. It runs after a restart.' : 'Installed.';

function noUpdates(): HTMLElement[] {
  return [
    h('p', { class: 'lead' }, 'This device takes no updates through this page.'),
    h(
      'p',
      { class: 'quiet' },
      'Set ',
      h('code', {}, 'adapter'),
      ' in the section ',
      h('code', {}, '[update]'),
      ' of its configuration to the installer that it has: ',
      h('code', {}, 'rauc'),
      ', ',
      h('code', {}, 'swupdate'),
      ' or ',
      h('code', {}, 'command'),
      '.',
    ),
  ];
}

export function showPanel(state: PanelState, actions: PanelActions): void {
  const { update, isUnknown, sending } = state;
  const panel = byId('update-panel');
  const isOff = isUnknown || update?.adapter === 'none';
  byId('steps').hidden = isOff || update === undefined;
  if (isOff) {
    renderOnce(panel, 'off', noUpdates);
  } else if (sending !== undefined) {
    showSteps(0, false);
    renderOnce(panel, 'sending', () => sendingPanel(actions));
    showSending(sending);
  } else if (update !== undefined) {
    showUpdate(panel, update, state, actions);
  }
}

function showUpdate(
  panel: HTMLElement,
  update: Update,
  { error, failedStep: failed }: PanelState,
  actions: PanelActions,
): void {
  const isFailed = update.state === 'failed';
  const isOver = update.state === 'installed' && !update.restartNeeded;
  showSteps(isFailed ? failed : stepOf[update.state], isOver, isFailed);
  const { progress: _, slots: __, ...shown } = update;
  renderOnce(panel, JSON.stringify([shown, error]), () => panelOf(update, error, actions));
  if (update.state !== 'installing') return;
  const { percent = 0, message = '' } = update.progress ?? {};
  setBar('installing', percent, message === '' ? `${percent} %` : `${percent} %: ${message}`);
}
