// SPDX-License-Identifier: Apache-2.0
// `spliced user`: the people who may sign in to the API by name, with their roles and passwords.
// Works beside a running service, which reads the file at each request, and on one that is stopped.
// Loaded by cli.ts for this command.

import { add, find, remove, setPassword, setRole } from '../api/people/changes.js';
import { changePeople, forgetPeople, type People, readPeople } from '../api/people/file.js';
import { judgeName, judgePassword, judgeRole, passwordBounds, roles } from '../api/people/names.js';
import { type Cost, chooseCost, type Hash, hashPassword } from '../api/people/scrypt.js';
import { reasonOf, StartError } from '../base/start-error.js';
import { passwordSource } from './read-password.js';
import type { ServiceDirectory } from './service-directory.js';
import { enterStateDir, servingHelp, servingOptions } from './serving.js';
import { readCommandLine } from './usage.js';

const help = (): string => `Usage: spliced user list [--json] [OPTIONS]
       spliced user add NAME --role ROLE [OPTIONS]
       spliced user role NAME ROLE [OPTIONS]
       spliced user password NAME [OPTIONS]
       spliced user remove NAME [OPTIONS]
       spliced user remove --all [OPTIONS]

People who sign in by name and password (docs/PEOPLE.md). A password has ${passwordBounds.charactersMin} characters at least. It is
asked for at a terminal, which does not show it, or read from standard input: one line.

  list        names and roles
  add         somebody; beside the running service too, and at once
  role        another role; ends the sessions of that person
  password    another password; ends the sessions of that person
  remove      somebody, with the sessions; --all: everybody, and the device can be claimed again

  --role ROLE         ${roles.join(', ')}: each may what those before it may
  --all               of remove
  --json              of list
${servingHelp}
  --help              this text
  --version           the version
`;

interface Asked {
  directory: ServiceDirectory;
  name: string;
  /** Of the last word or of --role. */
  role: string;
  password: ReturnType<typeof passwordSource> | undefined;
}

/** Of all, or chosen now: a name that is not there has to cost as much as one that is. */
async function newHash(
  { name, password }: Asked,
  before: People,
): Promise<{ cost: Cost; hash: Hash }> {
  if (password === undefined) throw new Error('no password was asked for');
  const judge = (text: string): void => judgePassword(text, name);
  const text = await password(name, judge);
  const cost = before.cost ?? (await chooseCost());
  return { cost, hash: await hashPassword(text, cost) };
}

const actions: Record<string, { words: number; act: (asked: Asked) => Promise<string> }> = {
  add: {
    words: 1,
    act: async (asked) => {
      const { directory, name } = asked;
      const role = judgeRole(asked.role);
      const before = await readPeople(directory.place);
      if (find(before, name) !== undefined) throw new StartError(`${name} is there already`);
      const { hash, cost } = await newHash(asked, before);
      await changePeople(directory.place, add({ name, role, hash }, cost));
      return `${name} may sign in, with the role ${role}.`;
    },
  },
  role: {
    words: 2,
    act: async ({ directory, name, role }) => {
      await changePeople(directory.place, setRole(name, judgeRole(role)));
      return `${name} has the role ${role}, and has to sign in anew.`;
    },
  },
  password: {
    words: 1,
    act: async (asked) => {
      const { directory, name } = asked;
      const before = await readPeople(directory.place);
      if (find(before, name) === undefined)
        throw new StartError(`there is nobody by the name ${name}`);
      const { hash } = await newHash(asked, before);
      await changePeople(directory.place, setPassword(name, hash));
      return `${name} has another password, and has to sign in anew.`;
    },
  },
  remove: {
    words: 1,
    act: async ({ directory, name }) => {
      await changePeople(directory.place, remove(name));
      return `${name} may not sign in any more.`;
    },
  },
};

async function list(directory: ServiceDirectory, isJson: boolean): Promise<void> {
  const { people } = await readPeople(directory.place);
  const shown = people.map(({ name, role }) => ({ name, role }));
  if (isJson) process.stdout.write(`${JSON.stringify(shown, undefined, 2)}\n`);
  else for (const { name, role } of shown) process.stdout.write(`${role.padEnd(12)} ${name}\n`);
  if (shown.length === 0) process.stderr.write('Nobody may sign in by name.\n');
}

async function removeAll(directory: ServiceDirectory): Promise<void> {
  await forgetPeople(directory.place);
  process.stderr.write(
    'Nobody may sign in by name; the device can be claimed after its next start.\n',
  );
}

/** The words of the command line, in order. Throws StartError. */
function wordsOf(positionals: readonly string[], all: boolean) {
  const [action = '', typed, second] = positionals;
  const names = ['list', ...Object.keys(actions)].join(', ');
  const known = action === 'list' || Object.hasOwn(actions, action);
  if (!known) {
    const given = action === '' ? 'say what' : `there is no user ${action}`;
    throw new StartError(`${given}; there are: ${names}`);
  }
  if (all && action !== 'remove') throw new StartError('--all belongs to user remove');
  const wanted = action === 'list' || all ? 0 : (actions[action]?.words ?? 0);
  if (positionals.length - 1 === wanted) return { action, typed, second };
  const advice = 'see spliced user --help';
  if (positionals.length - 1 > wanted) {
    // Never shown: it may be a password.
    throw new StartError(`there is a word too many; a password is no argument; ${advice}`);
  }
  throw new StartError(
    `user ${action} needs ${wanted === 2 ? 'a name and a role' : 'a name'}; ${advice}`,
  );
}

export async function run(args: string[]): Promise<number> {
  const flag = { type: 'boolean' as const };
  const options = { ...servingOptions(), role: { type: 'string' as const }, all: flag, json: flag };
  const line = readCommandLine('user', args, { options, help, positionalsMax: 9 });
  if (line === undefined) return 0;
  const { values, positionals } = line;
  const { action, typed, second } = wordsOf(positionals, values.all === true);
  const name = typed === undefined ? '' : judgeName(typed);
  if (values.json && action !== 'list') throw new StartError('--json belongs to user list');
  if (values.role !== undefined && action !== 'add')
    throw new StartError('--role belongs to user add');
  if (action === 'add' && values.role === undefined)
    throw new StartError(`give --role: ${roles.join(', ')}`);
  const role = String(values.role ?? second ?? '');
  if (role !== '') judgeRole(role);
  const asksPassword = action === 'add' || action === 'password';
  const password = asksPassword ? passwordSource() : undefined;
  const directory = enterStateDir(values);
  try {
    if (action === 'list') await list(directory, values.json === true);
    else if (values.all) await removeAll(directory);
    else {
      const done = await actions[action]?.act({ directory, name, role, password });
      process.stderr.write(`${done}\n`);
    }
    return 0;
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(reasonOf(directory.inWords(error)));
  }
}
