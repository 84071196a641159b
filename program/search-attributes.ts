import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, isGrpcServiceError } from '@temporalio/client';
import { exitCodes, StartupError } from './exit-codes.ts';
import { searchAttributes } from '../workflows/messages.ts';

type AttributeType = (typeof searchAttributes)[keyof typeof searchAttributes]['type'];

/** Each type as the server numbers it (temporal.api.enums.v1.IndexedValueType) and as the `temporal` command calls it. */
const types: Readonly<Record<AttributeType, { readonly number: number; readonly cliName: string }>> = {
  KEYWORD: { number: 2, cliName: 'Keyword' },
  KEYWORD_LIST: { number: 7, cliName: 'KeywordList' },
};
// Of the gRPC status codes ("Status codes and their use in gRPC").
const PERMISSION_DENIED = 7;
const UNIMPLEMENTED = 12;
/** A server's frontends each learn of new search attributes from their own cache, within a minute. */
const REGISTRATION_MS = 90_000;

/** Each search attribute by its name, with its type as `temporal operator search-attribute create --type` takes it. */
export const searchAttributeCliTypes: Readonly<Record<string, string>> = Object.fromEntries(
  Object.values(searchAttributes).map(({ name, type }) => [name, types[type].cliName]),
);

/** Each search attribute by its name, with its type as the server's API numbers it. */
export const searchAttributeNumbers: Readonly<Record<string, number>> = Object.fromEntries(
  Object.values(searchAttributes).map(({ name, type }) => [name, types[type].number]),
);

/**
 * Without its search attributes every workflow task of a node would fail, so a program does not start without them. Where
 * the server does not tell (Temporal Cloud, restricted roles), it starts and trusts.
 *
 * @throws StartupError with the commands that register what is missing, or that put right what has another type
 */
export async function checkSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const registered = await listSearchAttributes(connection, namespace);
  if (registered === undefined) return;
  const missing = missingSearchAttributes(registered, namespace);
  if (missing.length === 0) return;
  throw new StartupError(
    exitCodes.temporal,
    `Namespace "${namespace}" lacks search attributes. Register them once:\n` +
      missing.map((name) => createCommand(namespace, name)).join('\n'),
  );
}

/** What {@link registerSearchAttributes} did: `unknown` where the server does not say what is registered. */
export type Registration = { readonly added: readonly string[] } | 'unknown';

/**
 * Registers the search attributes that the namespace lacks, and waits until the server knows them. On Temporal Cloud, where
 * a namespace's own interface adds none, it only checks.
 *
 * @throws StartupError with the commands for a person, if some are missing and the server refuses to add them, or if one
 * has another type
 */
export async function registerSearchAttributes(
  connection: Connection,
  namespace: string,
): Promise<Registration> {
  const registered = await listSearchAttributes(connection, namespace);
  if (registered === undefined) return 'unknown';
  const added = missingSearchAttributes(registered, namespace);
  if (added.length === 0) return { added };
  const numbers = Object.fromEntries(added.map((name) => [name, searchAttributeNumbers[name] ?? 0]));
  try {
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes: numbers });
  } catch (error) {
    throw isRefusal(error) ? new StartupError(exitCodes.temporal, refusedText(namespace, added)) : error;
  }
  const deadline = Date.now() + REGISTRATION_MS;
  for (;;) {
    const known = (await listSearchAttributes(connection, namespace)) ?? {};
    if (missingSearchAttributes(known, namespace).length === 0) return { added };
    if (Date.now() > deadline) {
      throw new StartupError(
        exitCodes.temporal,
        `The server took the search attributes ${added.join(', ')}, but does not list them after ${REGISTRATION_MS / 1_000} s. Try again.`,
      );
    }
    await sleep(500);
  }
}

/** What to do where the server does not let a program register search attributes. */
export function cloudCommands(namespace: string, names = Object.keys(searchAttributeNumbers)): string {
  const flags = names.map((name) => `--sa "${name}=${searchAttributeCliTypes[name]}"`);
  return (
    `  tcld namespace search-attributes add --namespace ${namespace} ${flags.join(' ')}\n` +
    'or in the Temporal Cloud UI: Namespaces, the namespace, Edit, Custom Search Attributes.'
  );
}

function refusedText(namespace: string, missing: readonly string[]): string {
  return (
    `Namespace "${namespace}" lacks search attributes, and the server does not let this program add them ` +
    `(${missing.join(', ')}). On Temporal Cloud a person does it:\n${cloudCommands(namespace, [...missing])}\n` +
    `On a server of your own, with the rights of an administrator:\n` +
    missing.map((name) => createCommand(namespace, name)).join('\n')
  );
}

/**
 * @returns the names of those that are not registered
 * @throws StartupError if one has another type
 */
function missingSearchAttributes(registered: Readonly<Record<string, number>>, namespace: string): string[] {
  const names = Object.keys(searchAttributeNumbers);
  const missing = names.filter((name) => registered[name] === undefined);
  const wrong = names.filter((name) => ![undefined, searchAttributeNumbers[name]].includes(registered[name]));
  if (wrong.length > 0) {
    const expected = wrong.map((name) => `${name} (must be ${searchAttributeCliTypes[name]})`).join(', ');
    const commands = [
      ...wrong.map((name) => `${command('remove', namespace, name)} --yes`),
      ...[...wrong, ...missing].map((name) => createCommand(namespace, name)),
    ];
    throw new StartupError(
      exitCodes.temporal,
      `Search attributes of namespace "${namespace}" have another type: ${expected}. If they were registered for an ` +
        'earlier version of this program, register them anew; workflows stay, but are found by them only once they ' +
        'have written them again. If they are another application’s, use a namespace of its own.\n' +
        commands.join('\n'),
    );
  }
  return missing;
}

function createCommand(namespace: string, name: string): string {
  return `${command('create', namespace, name)} --type ${searchAttributeCliTypes[name]}`;
}

function command(verb: 'create' | 'remove', namespace: string, name: string): string {
  return `  temporal operator search-attribute ${verb} --namespace ${namespace} --name ${name}`;
}

async function listSearchAttributes(
  connection: Connection,
  namespace: string,
): Promise<Readonly<Record<string, number>> | undefined> {
  try {
    const answer = await connection.operatorService.listSearchAttributes({ namespace });
    return answer.customAttributes ?? {};
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}

function isRefusal(error: unknown): boolean {
  return isGrpcServiceError(error) && [PERMISSION_DENIED, UNIMPLEMENTED].includes(error.code);
}
