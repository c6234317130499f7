// SPDX-License-Identifier: Apache-2.0
// The routes that announce an upload. The bytes do not come here: they go by PUT to the path that
// the answer names, to the engine. Collected by ../routes.ts.

import { readFields } from '../body.js';
import { json } from '../json.js';
import { Problem } from '../problem.js';
import { jsonOf, type Route } from '../route.js';

const problemOf = {
  bad: { status: 400, title: 'Bad upload' },
  busy: { status: 409, title: 'Not now' },
  'too long': { status: 413, title: 'Bundle too long' },
  'no space': { status: 507, title: 'No space' },
} as const;

/** A refusal of src/update/uploads.ts, which this room does not know. */
function problemFrom(error: unknown): Problem | undefined {
  const { kind } = error as { kind?: keyof typeof problemOf };
  if (!(error instanceof Error) || kind === undefined || !(kind in problemOf)) return undefined;
  const { status, title } = problemOf[kind];
  return new Problem(status, title, error.message);
}

export const uploads: readonly Route[] = [
  {
    method: 'post',
    path: '/update/uploads',
    operationId: 'beginUpload',
    summary:
      'Announces a bundle. Send it by PUT to `upload`, from `offset` on: docs/UPLOAD.md. The same ' +
      'announcement again goes on with the part that is there.',
    body: jsonOf('UploadWish'),
    answer: { status: 201, description: 'Where the bytes go.', ...jsonOf('UploadPlace') },
    problems: {
      409: 'Another upload is being sent, or an update is being installed.',
      413: 'It is longer than update.size_max_mib.',
      507: 'There is no space for it on the device.',
    },
    async handle(c, { service: { uploads } }) {
      const wish = await readFields(c, { name: 'string', length: 'number', sha256: 'string?' });
      try {
        const { path, offset, length } = await uploads.begin(wish);
        return json({ upload: path, offset, length }, 201, { Location: path });
      } catch (error) {
        throw problemFrom(error) ?? error;
      }
    },
  },
  {
    method: 'get',
    path: '/update/uploads',
    operationId: 'getUploads',
    summary: 'The upload that is there in part, if there is one.',
    answer: { status: 200, description: 'One, or none.', ...jsonOf('UploadParts') },
    async handle(_c, { service }) {
      const state = await service.uploads.state();
      return json({ uploads: state === undefined ? [] : [state] });
    },
  },
  {
    method: 'delete',
    path: '/update/uploads',
    operationId: 'giveUpUpload',
    summary: 'Gives up the upload, or forgets the bundle that was received.',
    answer: { status: 200, description: 'Nothing is there any more.', ...jsonOf('UploadParts') },
    problems: { 404: 'There is none that could be forgotten.' },
    async handle(_c, { service }) {
      if (await service.uploads.giveUp()) return json({ uploads: [] });
      throw new Problem(404, 'Nothing there', 'Nothing was uploaded that could be forgotten now.');
    },
  },
];
