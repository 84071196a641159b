/** Holds requests to EC2, and its answers, against botocore's model of the service (protocol `ec2`: Query requests, XML answers). */
import { XMLParser } from 'fast-xml-parser';
import type { HttpAnswer, HttpRequest } from '../../sandbox/cloud/http-server.ts';
import { shown, Violations } from './violations.ts';

interface ShapeRef {
  readonly shape: string;
  readonly locationName?: string;
  readonly queryName?: string;
  readonly documentation?: string;
}

export interface Shape {
  readonly type: string;
  readonly members?: Readonly<Record<string, ShapeRef>>;
  readonly member?: ShapeRef;
  readonly required?: readonly string[];
  readonly enum?: readonly string[];
  readonly documentation?: string;
}

interface Operation {
  readonly input?: ShapeRef;
  readonly output?: ShapeRef;
  readonly documentation?: string;
}

export interface ServiceModel {
  readonly metadata: { readonly protocol: string; readonly apiVersion: string };
  readonly operations: Readonly<Record<string, Operation>>;
  readonly shapes: Readonly<Record<string, Shape>>;
}

/** A value in a request or answer: text, or parts by name. A list's parts are numbers in a request, `item` in an answer. */
type Tree = string | { readonly [name: string]: Tree | readonly Tree[] };

const parser = new XMLParser({ parseTagValue: false, ignoreAttributes: true, trimValues: false });

/** No parameters of the operation: they name it. */
const PROTOCOL = ['Action', 'Version'];

export class Ec2Conformance {
  readonly violations = new Violations();
  /** How many calls of each operation were held against the model. */
  readonly calls = new Map<string, number>();
  readonly #model: ServiceModel;

  constructor(model: ServiceModel) {
    this.#model = model;
  }

  exchange({ method, body, url }: HttpRequest, answer: HttpAnswer): void {
    const form = method === 'POST' ? new URLSearchParams(body) : url.searchParams;
    if (form.get('Version') !== this.#model.metadata.apiVersion) return;
    const name = form.get('Action') ?? '';
    const operation = this.#model.operations[name];
    if (operation === undefined) return this.violations.add(name, 'is no operation of the model');
    this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
    // A request that is refused may be wrong on purpose.
    if (answer.status === 200) this.#request(name, operation, form);
    this.#answer(name, operation, answer);
  }

  #request(name: string, { input }: Operation, form: URLSearchParams): void {
    const where = `${name} request`;
    const tree = treeOf([...form].filter(([key]) => !PROTOCOL.includes(key)));
    if (input === undefined) {
      if (Object.keys(tree).length > 0) this.violations.add(where, `takes nothing, and has ${shown(tree)}`);
    } else this.#check(where, input, tree, requestName, numbered);
  }

  #answer(name: string, { output }: Operation, { status, body }: HttpAnswer): void {
    const where = `${name} answer`;
    const document = parser.parse(body) as Record<string, Tree>;
    if (status !== 200) {
      const code = (
        document as unknown as { Response?: { Errors?: { Error?: { Code?: unknown; Message?: unknown } } } }
      ).Response?.Errors?.Error;
      if (typeof code?.Code !== 'string' || typeof code.Message !== 'string')
        this.violations.add(where, `an error without code and message: ${body.slice(0, 200)}`);
      return;
    }
    const root = document[`${name}Response`];
    if (root === undefined || typeof root === 'string')
      return this.violations.add(where, `has no element ${name}Response: ${body.slice(0, 200)}`);
    // The model leaves `return` out, which the API Reference has in the answers of calls that change something.
    const { requestId, return: outcome = 'true', ...content } = root;
    if (outcome !== 'true') this.violations.add(where, `returns ${shown(outcome)}`);
    if (typeof requestId !== 'string') this.violations.add(where, 'has no requestId');
    if (output === undefined) {
      const rest = Object.keys(content).filter((key) => key !== '#text');
      if (rest.length > 0) this.violations.add(where, `is to be empty, and has ${rest.join(', ')}`);
    } else this.#check(where, output, content, answerName, items);
  }

  #check(where: string, ref: ShapeRef, value: Tree, nameOf: NameOf, listOf: ListOf): void {
    const shape = this.#model.shapes[ref.shape];
    if (shape === undefined) return this.violations.add(where, `the model lacks its shape ${ref.shape}`);
    switch (shape.type) {
      case 'structure':
        return this.#checkStructure(where, shape, value, nameOf, listOf);
      case 'list': {
        const { member } = shape;
        const list = listOf(value);
        if (list === undefined || member === undefined)
          return this.violations.add(where, `is no list: ${shown(value)}`);
        for (const one of list) this.#check(`${where}[]`, member, one, nameOf, listOf);
        return;
      }
      default: {
        const problem = typeof value === 'string' ? scalarProblem(shape, value) : 'has parts';
        if (problem !== undefined) this.violations.add(where, `${problem}: ${shown(value)}`);
      }
    }
  }

  #checkStructure(
    where: string,
    { members = {}, required = [] }: Shape,
    value: Tree,
    nameOf: NameOf,
    listOf: ListOf,
  ): void {
    const parts = value === '' ? {} : value;
    if (typeof parts === 'string')
      return this.violations.add(where, `is text, not a structure: ${shown(value)}`);
    const known = new Map(Object.entries(members).map(([name, ref]) => [nameOf(name, ref), ref]));
    for (const [name, part] of Object.entries(parts)) {
      if (name === '#text') continue;
      const ref = known.get(name);
      if (ref === undefined) this.violations.add(where, `has ${name}, which the model does not`);
      else if (Array.isArray(part)) this.violations.add(`${where}.${name}`, 'stands there several times');
      else this.#check(`${where}.${name}`, ref, part as Tree, nameOf, listOf);
    }
    if (nameOf !== requestName) return;
    for (const name of required) {
      const ref = members[name];
      if (ref !== undefined && !(nameOf(name, ref) in parts)) this.violations.add(where, `lacks ${name}`);
    }
  }
}

type NameOf = (name: string, ref: ShapeRef) => string;
type ListOf = (value: Tree) => readonly Tree[] | undefined;

/** As botocore's serializer of the protocol `ec2` names a parameter. */
const requestName: NameOf = (name, { queryName, locationName }) =>
  queryName ??
  (locationName === undefined ? name : `${locationName.charAt(0).toUpperCase()}${locationName.slice(1)}`);

const answerName: NameOf = (name, { locationName }) => locationName ?? name;

/** `Filter.1`, `Filter.2`, …: from 1, without a gap. */
const numbered: ListOf = (value) => {
  if (typeof value === 'string') return undefined;
  const keys = Object.keys(value)
    .map(Number)
    .toSorted((a, b) => a - b);
  return keys.every((key, index) => key === index + 1)
    ? keys.map((key) => value[String(key)] as Tree)
    : undefined;
};

const items: ListOf = (value) => {
  if (value === '') return [];
  if (typeof value === 'string' || Object.keys(value).some((key) => key !== 'item' && key !== '#text'))
    return undefined;
  const item = value['item'];
  return item === undefined ? [] : Array.isArray(item) ? (item as readonly Tree[]) : [item as Tree];
};

function treeOf(entries: readonly [string, string][]): Record<string, Tree> {
  const root: Record<string, Tree> = {};
  for (const [key, value] of entries) {
    const steps = key.split('.');
    const last = steps.pop() ?? key;
    let at = root;
    for (const step of steps) {
      const next = (at[step] ??= {});
      at = typeof next === 'string' ? {} : (next as Record<string, Tree>);
    }
    at[last] = value;
  }
  return root;
}

const scalars: Readonly<Record<string, RegExp>> = {
  boolean: /^(true|false)$/,
  integer: /^-?\d+$/,
  long: /^-?\d+$/,
  double: /^-?\d+(\.\d+)?$/,
  float: /^-?\d+(\.\d+)?$/,
  timestamp: /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/,
};

function scalarProblem({ type, enum: allowed }: Shape, text: string): string | undefined {
  const form = scalars[type];
  if (form !== undefined && !form.test(text)) return `is no ${type}`;
  return allowed === undefined || allowed.includes(text)
    ? undefined
    : `is none of ${allowed.slice(0, 8).join(', ')}`;
}
