/** What it takes on Compute Engine to put a static address in the place of an ephemeral one, as the emulator's operations tell it. */
import { percentile, round } from './numbers.ts';

/** An operation, as far as it is of use here: the REST API's names, times in milliseconds. */
export interface Operation {
  readonly instance: string;
  readonly type: string;
  readonly begun: number;
  readonly ended: number;
  readonly failed: boolean;
}

/** Of one node, in seconds. */
export interface AddressChange {
  readonly instance: string;
  /** The time that the two operations take by themselves. */
  readonly own: number;
  /** From the request to remove the ephemeral address until the static one is there. */
  readonly taken: number;
  /** From the end of the removal until the static address is there. */
  readonly without: number;
}

/** @returns a change for each instance that lost an address and then got one */
export function addressChanges(operations: readonly Operation[]): AddressChange[] {
  const done = operations.filter(({ failed }) => !failed);
  return [...Map.groupBy(done, ({ instance }) => instance)].flatMap(([instance, own]) => {
    const removal = own.find(({ type }) => type === 'deleteAccessConfig');
    const addition = own.find(({ type }) => type === 'addAccessConfig');
    if (removal === undefined || addition === undefined) return [];
    const lasted = ({ begun, ended }: Operation): number => ended - begun;
    return [
      {
        instance,
        own: (lasted(removal) + lasted(addition)) / 1000,
        taken: (addition.ended - removal.begun) / 1000,
        without: (addition.ended - removal.ended) / 1000,
      },
    ];
  });
}

/** As a result shows them. */
export function shownChanges(changes: readonly AddressChange[]): object {
  const shown = (values: readonly number[]) => ({
    p50: round(percentile(values, 0.5)),
    p99: round(percentile(values, 0.99)),
  });
  return {
    withoutAddress: shown(changes.map(({ without }) => without)),
    operations: shown(changes.map(({ own }) => own)),
    change: shown(changes.map(({ taken }) => taken)),
    changeToOperations: shown(changes.map(({ taken, own }) => taken / own)),
  };
}

interface Listed {
  readonly operationType: string;
  readonly targetLink: string;
  readonly insertTime: string;
  readonly endTime?: string;
  readonly error?: unknown;
}

/** Asks the emulator for the operations of a zone. Its rate limits are to be off. */
export async function readOperations(url: string, project: string, zone: string): Promise<Operation[]> {
  const found: Operation[] = [];
  for (let pageToken = ''; ;) {
    const page = new URL(`${url}/compute/v1/projects/${project}/zones/${zone}/operations`);
    page.searchParams.set('maxResults', '500');
    if (pageToken !== '') page.searchParams.set('pageToken', pageToken);
    const response = await fetch(page, { headers: { authorization: 'Bearer bench' } });
    if (!response.ok) throw new Error(`${page.pathname}: ${response.status} ${await response.text()}`);
    const answer = (await response.json()) as { items?: Listed[]; nextPageToken?: string };
    found.push(...(answer.items ?? []).flatMap(toOperation));
    pageToken = answer.nextPageToken ?? '';
    if (pageToken === '') return found;
  }
}

function toOperation({ operationType: type, targetLink, insertTime, endTime, error }: Listed): Operation[] {
  if (endTime === undefined) return [];
  const instance = targetLink.slice(targetLink.lastIndexOf('/') + 1);
  const [begun, ended] = [Date.parse(insertTime), Date.parse(endTime)];
  return [{ instance, type, begun, ended, failed: error !== undefined }];
}
