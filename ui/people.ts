// SPDX-License-Identifier: Apache-2.0
// Who may sign in, for whoever administers: added, with another role or password, removed.

import { change, passwordTimeoutMs, read, reasonOf } from './api.js';
import type { PersonEntry, Role } from './documents.js';
import { button, byId, h, renderOnce, say } from './dom.js';
import { roles } from './roles.js';
import type { Session } from './session.js';

/** True: it was done. */
type Act = (work: () => Promise<unknown>, done: string) => Promise<boolean>;

const roleWords: Readonly<Record<Role, string>> = {
  view: 'view: look',
  operate: 'operate: also update, restart, renew',
  administer: 'administer: all of it',
};

function roleSelect(id: string, chosen: Role): HTMLSelectElement {
  const select = h('select', { id });
  for (const role of roles) select.append(h('option', { value: role }, roleWords[role]));
  select.value = chosen;
  return select;
}

/** A form with one field and one button. */
function smallForm(label: string, field: HTMLElement, word: string, onSend: () => void) {
  const form = h(
    'form',
    {},
    h('label', { for: field.id }, label),
    field,
    h('button', { class: 'button small' }, word),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    onSend();
  });
  return form;
}

function itemOf({ name, role, isOwn }: PersonEntry, act: Act): HTMLElement {
  const path = `people/${encodeURIComponent(name)}`;
  const select = roleSelect(`role-of-${name}`, role);
  const ofOwn = isOwn ? ' You will have to sign in again.' : '';
  const setRole = (): void => {
    const wanted = select.value;
    if (wanted === role || !confirm(`Give ${name} the role “${wanted}”?${ofOwn}`)) return;
    void act(
      () => change('PUT', `${path}/role`, { role: wanted }),
      `${name} has the role “${wanted}”.`,
    );
  };
  const field = h('input', {
    id: `password-of-${name}`,
    type: 'password',
    autocomplete: 'new-password',
    required: '',
  });
  const setPassword = async (): Promise<void> => {
    const isDone = await act(
      () => change('PUT', `${path}/password`, { password: field.value }, passwordTimeoutMs),
      `${name} has another password; the sessions with the old one are over.`,
    );
    if (isDone) field.value = '';
  };
  const remove = button(
    `Remove ${name}`,
    () => {
      if (!confirm(`Remove ${name}?${isOwn ? ' You will be signed out.' : ''}`)) return;
      void act(() => change('DELETE', path), `${name} is removed.`);
    },
    'small',
  );
  const chip = h('span', { class: 'chip' }, role);
  return h(
    'li',
    {},
    h(
      'details',
      {},
      h('summary', {}, h('b', {}, name), ' ', chip, isOwn ? ' you' : ''),
      smallForm(`Role of ${name}`, select, 'Change the role', setRole),
      isOwn
        ? undefined
        : smallForm(`New password of ${name}`, field, 'Set it', () => void setPassword()),
      h('div', { class: 'actions' }, remove),
    ),
  );
}

export class PeopleView {
  readonly #session: Session;
  readonly #onChange: () => void;

  /** `onChange`: sessions of somebody may be over. */
  constructor(session: Session, onChange: () => void) {
    this.#session = session;
    this.#onChange = onChange;
    byId('new-person-role').replaceWith(roleSelect('new-person-role', 'view'));
    byId('add-person').addEventListener('submit', (event) => {
      event.preventDefault();
      const [name = '', role, password] = ['name', 'role', 'password'].map(
        (what) => byId<HTMLInputElement>(`new-person-${what}`).value,
      );
      const add = (): Promise<unknown> =>
        change('POST', 'people', { name, role, password }, passwordTimeoutMs);
      void this.#act(add, `${name} can sign in.`).then((isDone) => {
        if (isDone) byId<HTMLFormElement>('add-person').reset();
      });
    });
  }

  accessChanged(): void {
    const mayKeep = this.#session.may('administer');
    byId('people-card').hidden = !mayKeep;
    byId('people-kept').hidden = mayKeep;
    say('people-result', '');
    byId('people-list').replaceChildren();
    delete byId('people-list').dataset.key;
    if (mayKeep) void this.#refresh();
  }

  async #refresh(): Promise<void> {
    try {
      const { people } = await read<{ people: PersonEntry[] }>('people');
      renderOnce(byId('people-list'), JSON.stringify(people), () =>
        people.map((one) => itemOf(one, (work, done) => this.#act(work, done))),
      );
      say('people-note', people.length === 0 ? 'Nobody can sign in by name yet.' : '');
    } catch (error) {
      this.#session.refused(error);
    }
  }

  async #act(work: () => Promise<unknown>, done: string): Promise<boolean> {
    say('people-result', 'One moment…');
    let isDone = true;
    try {
      await work();
      say('people-result', done);
    } catch (error) {
      isDone = false;
      this.#session.refused(error);
      say('people-result', reasonOf(error));
    }
    this.#onChange();
    await this.#refresh();
    return isDone;
  }
}
