/** Holds requests to Compute Engine, and its answers, against Google's discovery document of the API. */
import type { HttpAnswer, HttpRequest } from '../../sandbox/cloud/http-server.ts';
import { shown, Violations } from './violations.ts';

export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly repeated?: boolean;
  readonly required?: boolean;
  readonly location?: 'path' | 'query';
  readonly description?: string;
}

export interface Method {
  readonly id: string;
  readonly httpMethod: string;
  readonly path: string;
  readonly description?: string;
  readonly parameters?: Readonly<Record<string, Schema>>;
  readonly request?: Schema;
  readonly response?: Schema;
}

export interface DiscoveryDocument {
  readonly servicePath: string;
  readonly parameters: Readonly<Record<string, Schema>>;
  readonly schemas: Readonly<Record<string, Schema>>;
  readonly resources: Readonly<Record<string, { readonly methods?: Readonly<Record<string, Method>> }>>;
}

/** @returns the methods of the document, by their ids without the service's name: `instances.addAccessConfig` */
export function methodsOf({ resources }: DiscoveryDocument): Map<string, Method> {
  const methods = Object.values(resources).flatMap((resource) => Object.values(resource.methods ?? {}));
  return new Map(methods.map((method) => [method.id.replace(/^compute\./, ''), method]));
}

export class ComputeConformance {
  readonly violations = new Violations();
  /** How many calls of each method were held against the document. */
  readonly calls = new Map<string, number>();
  readonly #document: DiscoveryDocument;
  readonly #routes: readonly { readonly id: string; readonly method: Method; readonly path: RegExp }[];

  constructor(document: DiscoveryDocument) {
    this.#document = document;
    this.#routes = [...methodsOf(document)].map(([id, method]) => ({
      id,
      method,
      path: new RegExp(`^/${document.servicePath}${method.path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`),
    }));
  }

  exchange(request: HttpRequest, answer: HttpAnswer): void {
    const { method: http, url } = request;
    // A batch, and the emulator's own endpoints, are no calls of the API.
    if (!url.pathname.startsWith(`/${this.#document.servicePath}`)) return;
    const route = this.#routes.find(
      ({ method, path }) => method.httpMethod === http && path.test(url.pathname),
    );
    if (route === undefined)
      return this.violations.add(`${http} ${url.pathname}`, 'is no method of the document');
    const { id, method } = route;
    this.calls.set(id, (this.calls.get(id) ?? 0) + 1);
    // A request that is refused may be wrong on purpose.
    if (answer.status === 200)
      this.#request(id, method, request, route.path.exec(url.pathname)?.groups ?? {});
    this.#answer(id, method, answer);
  }

  #request(
    id: string,
    method: Method,
    { url, body }: HttpRequest,
    path: Readonly<Record<string, string>>,
  ): void {
    const where = `${id} request`;
    const known = { ...this.#document.parameters, ...method.parameters };
    const given = [
      ...Object.entries(path).map(([k, v]): [string, string] => [k, decodeURIComponent(v)]),
      ...url.searchParams,
    ];
    for (const [name, text] of given) {
      const schema = known[name];
      // `$alt` and `$prettyPrint` are aliases ("System parameters", Google Cloud APIs).
      if (schema === undefined && !(name.startsWith('$') && name.slice(1) in known))
        this.violations.add(where, `has the parameter ${name}, which the document does not`);
      else if (schema !== undefined) this.#checkParameter(`${where} ${name}`, schema, text);
    }
    const names = given.map(([name]) => name);
    for (const [name, { required }] of Object.entries(method.parameters ?? {}))
      if (required === true && !names.includes(name))
        this.violations.add(where, `lacks the parameter ${name}`);
    // Google's client for Node sends `""` where a method has no body.
    const content: unknown = body === '' ? '' : JSON.parse(body);
    if (method.request !== undefined) this.#check(where, method.request, content === '' ? {} : content);
    else if (content !== '') this.violations.add(where, `takes no body, and has ${shown(content)}`);
  }

  #checkParameter(where: string, schema: Schema, text: string): void {
    const value =
      schema.type === 'boolean' && /^(true|false)$/.test(text)
        ? text === 'true'
        : (schema.type === 'integer' || schema.type === 'number') && /^-?\d+$/.test(text)
          ? Number(text)
          : text;
    this.#check(where, { ...schema }, value);
  }

  #answer(id: string, { response }: Method, { status, body }: HttpAnswer): void {
    const where = `${id} answer`;
    const content: unknown = JSON.parse(body);
    if (status !== 200) {
      const { error } = content as { error?: { code?: unknown; message?: unknown; errors?: unknown } };
      if (error?.code !== status || typeof error.message !== 'string' || !Array.isArray(error.errors))
        this.violations.add(where, `an error of another form: ${body.slice(0, 200)}`);
    } else if (response !== undefined) this.#check(where, response, content);
  }

  #check(where: string, schema: Schema, value: unknown): void {
    if (schema.$ref !== undefined) {
      const target = this.#document.schemas[schema.$ref];
      if (target === undefined) return this.violations.add(where, `the document lacks ${schema.$ref}`);
      return this.#check(where, target, value);
    }
    const problem = scalarProblem(schema, value);
    if (problem !== undefined) return this.violations.add(where, `${problem}: ${shown(value)}`);
    if (schema.type === 'array') {
      for (const one of value as readonly unknown[]) this.#check(`${where}[]`, schema.items ?? {}, one);
    } else if (schema.type === 'object') this.#checkObject(where, schema, value as Record<string, unknown>);
  }

  #checkObject(
    where: string,
    { properties = {}, additionalProperties }: Schema,
    value: Record<string, unknown>,
  ): void {
    for (const [name, part] of Object.entries(value)) {
      const schema = Object.hasOwn(properties, name) ? properties[name] : additionalProperties;
      if (schema === undefined) this.violations.add(where, `has ${name}, which the document does not`);
      else this.#check(`${where}.${name}`, schema, part);
    }
  }
}

const forms: Readonly<Record<string, RegExp>> = {
  int64: /^-?\d+$/,
  uint64: /^\d+$/,
  'date-time': /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/,
  // URL-safe or not ("JSON Mapping", Protocol Buffers).
  byte: /^[A-Za-z0-9+/_-]*=*$/,
};

function scalarProblem({ type, format, enum: allowed, pattern }: Schema, value: unknown): string | undefined {
  switch (type) {
    case 'string': {
      if (typeof value !== 'string') return 'is no text';
      const form = format === undefined ? undefined : forms[format];
      if (form !== undefined && !form.test(value)) return `is no ${format}`;
      if (pattern !== undefined && !new RegExp(`^(?:${pattern})$`).test(value))
        return 'has not the form of the document';
      return allowed === undefined || allowed.includes(value)
        ? undefined
        : `is none of ${allowed.slice(0, 8).join(', ')}`;
    }
    case 'integer':
      return Number.isInteger(value) ? undefined : 'is no integer';
    case 'number':
      return typeof value === 'number' ? undefined : 'is no number';
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'is neither true nor false';
    case 'array':
      return Array.isArray(value) ? undefined : 'is no list';
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
        ? undefined
        : 'is no object';
    default:
      return undefined;
  }
}
