import { type Connection, isGrpcServiceError } from '@temporalio/client';
import { exitCodes, StartupError } from './exit-codes.ts';
import { searchAttributeTypes } from '../workflows/messages.ts';

type AttributeType = (typeof searchAttributeTypes)[keyof typeof searchAttributeTypes];

/** Each type as the server numbers it (temporal.api.enums.v1.IndexedValueType) and as the `temporal` command calls it. */
const types: Readonly<Record<AttributeType, { readonly number: number; readonly cliName: string }>> = {
  KEYWORD: { number: 2, cliName: 'Keyword' },
  KEYWORD_LIST: { number: 7, cliName: 'KeywordList' },
};
// Of the gRPC status codes ("Status codes and their use in gRPC").
const PERMISSION_DENIED = 7;
const UNIMPLEMENTED = 12;

/** Each search attribute by its name, with its type as `temporal operator search-attribute create --type` takes it. */
export const searchAttributeCliTypes: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(searchAttributeTypes).map(([name, type]) => [name, types[type].cliName]),
);

/** Each search attribute by its name, with its type as the server's API numbers it. */
export const searchAttributeNumbers: Readonly<Record<string, number>> = Object.fromEntries(
  Object.entries(searchAttributeTypes).map(([name, type]) => [name, types[type].number]),
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
  if (missing.length === 0) return;
  throw new StartupError(
    exitCodes.temporal,
    `Namespace "${namespace}" lacks search attributes. Register them once:\n` +
      missing.map((name) => createCommand(namespace, name)).join('\n'),
  );
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
    if (isGrpcServiceError(error) && [PERMISSION_DENIED, UNIMPLEMENTED].includes(error.code))
      return undefined;
    throw error;
  }
}
