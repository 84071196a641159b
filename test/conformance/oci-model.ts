/**
 * Holds requests to Oracle Cloud, and its answers, against the models that Oracle generates for its SDK (`oci-core`): its client says which
 * paths, parameters and headers an operation has, its types which fields a body has.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { HttpAnswer, HttpRequest } from '../../sandbox/cloud/http-server.ts';
import { shown, Violations } from './violations.ts';

const API_ROOT = '/20160918';
const library = join(dirname(createRequire(import.meta.url).resolve('oci-core')), 'lib');

/** As the generated client makes the call. */
export interface Operation {
  readonly name: string;
  readonly http: string;
  readonly path: string;
  readonly query: readonly string[];
  readonly required: readonly string[];
  readonly headers: readonly string[];
  /** The model of the request's body. */
  readonly requestModel: string | undefined;
  /** The model of the answer, or of each item of it. */
  readonly answerModel: string | undefined;
  readonly isList: boolean;
}

/** @returns the operation as the generated client has it @throws Error if it has none of this name */
export function operationOf(name: string, client = readClient()): Operation {
  const start = client.indexOf(`const operationName = "${name}";`);
  const text = client.slice(start, client.indexOf('return sdkResponse;', start));
  if (start < 0) throw new Error(`oci-core has no operation ${name}`);
  const one = (pattern: RegExp): string | undefined => pattern.exec(text)?.[1];
  const names = (block: string | undefined): string[] =>
    [...(block ?? '').matchAll(/"([\w-]+)"/g)].map(([, found = '']) => found);
  const type = one(/\btype: "([^"]+)"/);
  return {
    name,
    http: one(/\bmethod: "(\w+)"/) ?? '',
    path: one(/\bpath: "([^"]+)"/) ?? '',
    query: names(one(/const queryParams = \{([^}]*)\}/)),
    required: names(one(/const requiredParams = new Set\(\[([^\]]*)\]/)),
    headers: names(one(/let headerParams = \{([^}]*)\}/)).map((header) => header.toLowerCase()),
    requestModel: one(/ObjectSerializer\.serialize\([^,]+, "(\w+)"/),
    answerModel: type === undefined ? undefined : /(\w+)>?$/.exec(type)?.[1],
    isList: type?.startsWith('Array<') === true,
  };
}

function readClient(): string {
  return readFileSync(join(library, 'client.js'), 'utf8');
}

interface Field {
  readonly type: string;
  readonly isRequired: boolean;
}

interface Model {
  readonly fields: ReadonlyMap<string, Field>;
  /** Values by the name of their type, as `PublicIp.LifecycleState`. */
  readonly enums: ReadonlyMap<string, readonly string[]>;
}

/** @returns a model's fields and the values that its enumerations have */
export function modelOf(name: string): Model {
  const file = `${name.replaceAll(/(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, '-').toLowerCase()}.d.ts`;
  const text = readFileSync(join(library, 'model', file), 'utf8');
  const body = new RegExp(`export interface ${name} \\{([\\s\\S]*?)\\n\\}`).exec(text)?.[1] ?? '';
  const fields = [...body.matchAll(/^ {4}"(\w+)"(\??):\s*([\s\S]*?);$/gm)].map(
    ([, field = '', optional, type = '']): [string, Field] => [field, { type, isRequired: optional === '' }],
  );
  const enums = [...text.matchAll(/enum (\w+) \{([^}]*)\}/g)].map(
    ([, type = '', values = '']): [string, string[]] => [
      `${name}.${type}`,
      [...values.matchAll(/= "([^"]+)"/g)].map(([, value = '']) => value),
    ],
  );
  return { fields: new Map(fields), enums: new Map(enums) };
}

export class OciConformance {
  readonly violations = new Violations();
  /** How many calls of each operation were held against the models. */
  readonly calls = new Map<string, number>();
  readonly #operations: readonly Operation[];
  readonly #models = new Map<string, Model>();

  constructor(names: readonly string[]) {
    const client = readClient();
    this.#operations = names.map((name) => operationOf(name, client));
  }

  exchange(request: HttpRequest, answer: HttpAnswer): void {
    const { method: http, url } = request;
    if (!url.pathname.startsWith(`${API_ROOT}/`)) return;
    const operation = this.#operations
      .filter(({ path }) =>
        new RegExp(`^${API_ROOT}${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(url.pathname),
      )
      // `/publicIps/actions/…` before `/publicIps/{publicIpId}`.
      .sort((a, b) => a.path.split('{').length - b.path.split('{').length)
      .find((one) => one.http === http);
    if (operation === undefined) {
      this.violations.add(`${http} ${url.pathname}`, 'is no operation that is used');
      return;
    }
    this.calls.set(operation.name, (this.calls.get(operation.name) ?? 0) + 1);
    // A request that is refused may be wrong on purpose.
    if (answer.status < 300) this.#request(operation, request);
    this.#answer(operation, answer);
  }

  #request({ name, query, required, headers, requestModel, path }: Operation, request: HttpRequest): void {
    const where = `${name} request`;
    const given = [...request.url.searchParams.keys()];
    for (const parameter of given) {
      if (!query.includes(parameter)) this.violations.add(where, `has the parameter ${parameter}`);
    }
    for (const parameter of required) {
      if (!given.includes(parameter) && !path.includes(`{${parameter}}`)) {
        this.violations.add(where, `lacks the parameter ${parameter}`);
      }
    }
    for (const header of ['if-match', 'opc-retry-token']) {
      if (request.headers[header] !== undefined && !headers.includes(header)) {
        this.violations.add(where, `has the header ${header}`);
      }
    }
    if (requestModel !== undefined) this.#check(where, requestModel, JSON.parse(request.body));
    else if (request.body !== '') this.violations.add(where, `takes no body, and has ${shown(request.body)}`);
  }

  #answer({ name, answerModel, isList }: Operation, { status, body, headers }: HttpAnswer): void {
    const where = `${name} answer`;
    if (headers?.['opc-request-id'] === undefined) this.violations.add(where, 'lacks opc-request-id');
    const content: unknown = body === '' ? undefined : JSON.parse(body);
    if (status >= 300) {
      const { code, message } = (content ?? {}) as { code?: unknown; message?: unknown };
      if (typeof code !== 'string' || typeof message !== 'string') {
        this.violations.add(where, `an error of another form: ${body.slice(0, 200)}`);
      }
    } else if (answerModel === undefined) {
      if (content !== undefined) this.violations.add(where, `has a body: ${shown(content)}`);
    } else if (isList) {
      if (!Array.isArray(content)) this.violations.add(where, 'is no list');
      else for (const item of content) this.#check(`${where}[]`, answerModel, item);
    } else this.#check(where, answerModel, content);
  }

  #check(where: string, modelName: string, value: unknown): void {
    const model = this.#modelOf(modelName);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.violations.add(where, `is no ${modelName}: ${shown(value)}`);
      return;
    }
    const given = new Map(Object.entries(value));
    for (const [name, part] of given) {
      const field = model.fields.get(name);
      if (field === undefined) this.violations.add(where, `has ${name}, which ${modelName} does not`);
      // Oracle answers null for what is not there.
      else if (part !== null && !isOfType(field.type, part, model)) {
        this.violations.add(`${where}.${name}`, `is no ${field.type}: ${shown(part)}`);
      }
    }
    for (const [name, { isRequired }] of model.fields) {
      if (isRequired && (given.get(name) ?? null) === null) this.violations.add(where, `lacks ${name}`);
    }
  }

  #modelOf(name: string): Model {
    const known = this.#models.get(name) ?? modelOf(name);
    this.#models.set(name, known);
    return known;
  }
}

function isOfType(type: string, value: unknown, { enums }: Model): boolean {
  const values = enums.get(type);
  if (values !== undefined) return typeof value === 'string' && values.includes(value);
  switch (type) {
    case 'string':
      return typeof value === 'string';
    case 'boolean':
      return typeof value === 'boolean';
    case 'number':
      return typeof value === 'number';
    case 'Date':
      return typeof value === 'string' && /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/.test(value);
    default:
      if (type.startsWith('Array<')) return Array.isArray(value);
      return typeof value === 'object' && value !== null && !Array.isArray(value);
  }
}
