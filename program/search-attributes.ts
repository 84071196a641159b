import { type Connection, isGrpcServiceError } from '@temporalio/client';
import { exitCodes, StartupError } from './exit-codes.ts';
import { searchAttributeTypes } from '../workflows/messages.ts';

/** As the server numbers the type in its answer (temporal.api.enums.v1.IndexedValueType). */
const KEYWORD = 2;
// Of the gRPC status codes ("Status codes and their use in gRPC").
const PERMISSION_DENIED = 7;
const UNIMPLEMENTED = 12;

/**
 * Without its search attributes every workflow task of a node would fail, so a program does not start without them. Where
 * the server does not tell (Temporal Cloud, restricted roles), it starts and trusts.
 *
 * @throws StartupError with the commands that register what is missing
 */
export async function checkSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const customAttributes = await listSearchAttributes(connection, namespace);
  if (customAttributes === undefined) return;
  const names = Object.keys(searchAttributeTypes);
  const missing = names.filter((name) => customAttributes[name] === undefined);
  const wrong = names.filter((name) => ![undefined, KEYWORD].includes(customAttributes[name]));
  if (wrong.length > 0) {
    throw new StartupError(
      exitCodes.temporal,
      `Search attributes of namespace "${namespace}" have another type than Keyword: ${wrong.join(', ')}. ` +
        'They belong to another application; use a namespace of its own.',
    );
  }
  if (missing.length === 0) return;
  const commands = missing.map(
    (name) =>
      `  temporal operator search-attribute create --namespace ${namespace} --name ${name} --type Keyword`,
  );
  throw new StartupError(
    exitCodes.temporal,
    `Namespace "${namespace}" lacks search attributes. Register them once:\n${commands.join('\n')}`,
  );
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
