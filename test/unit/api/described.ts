// SPDX-License-Identifier: Apache-2.0
// Judges answers by the API's own description.

import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { type Answer, ask } from './client.js';

type Contents = Record<string, { schema: object }>;

export interface Operation {
  operationId: string;
  responses: Record<string, { content: Contents }>;
}

export interface Description {
  servers: { url: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
}

export async function descriptionOf(socket: string): Promise<Description> {
  return (await ask(socket, '/openapi.json')).json as unknown as Description;
}

export interface Judge {
  /** Empty: the answer is as described. */
  problemOf(method: string, path: string, answer: Answer): string;
  /** The ids of the operations that were judged. */
  seen: Set<string>;
  isSchema(name: string, value: unknown): boolean;
}

export function judgeBy(description: Description): Judge {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  formats.default(ajv);
  ajv.addSchema({ $id: 'api', ...description }, 'api');
  const seen = new Set<string>();
  const problemOf = (method: string, path: string, answer: Answer): string => {
    const operation = description.paths[path]?.[method];
    const response = operation?.responses[String(answer.status)];
    if (operation === undefined || response === undefined) return `not described: ${answer.text}`;
    seen.add(operation.operationId);
    const [type = ''] = (answer.headers['content-type'] ?? '').split(';');
    if (response.content[type] === undefined) return `it is ${type}`;
    const pointer = `/paths/${path.replaceAll('/', '~1')}/${method}/responses/${answer.status}`;
    const $ref = `api#${pointer}/content/${type.replaceAll('/', '~1')}/schema`;
    const validate = ajv.compile({ $ref });
    const value = /[/+]json/.test(type) ? answer.json : answer.text;
    return validate(value) ? '' : ajv.errorsText(validate.errors);
  };
  const isSchema = (name: string, value: unknown): boolean =>
    ajv.compile({ $ref: `api#/components/schemas/${name}` })(value);
  return { problemOf, seen, isSchema };
}
