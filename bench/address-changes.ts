/** What it takes to put a static address in the place of an ephemeral one, where that must go first, as the emulators tell it. */
import type { Transition } from '../sandbox/oci/tenancy.ts';
import { percentile, round } from './numbers.ts';

/** What a cloud does after its answer: an operation of Compute Engine, a state of Oracle Cloud. Times in milliseconds. */
export interface Operation {
  readonly instance: string;
  /** Of the ephemeral address, and of the static one; undefined: something else. */
  readonly type: 'removal' | 'addition' | undefined;
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
    const removal = own.find(({ type }) => type === 'removal');
    const addition = own.find(({ type }) => type === 'addition');
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

const typeOfOperation: Readonly<Record<string, Operation['type']>> = {
  deleteAccessConfig: 'removal',
  addAccessConfig: 'addition',
};

/** @returns the same of the states that public IPs of Oracle Cloud were in */
export function operationsOfTransitions(transitions: readonly Transition[]): Operation[] {
  return transitions.flatMap(({ instanceId: instance, lifetime, state, begun, ended, isInVain: failed }) => {
    if (instance === undefined) return [];
    const isRemoval = lifetime === 'EPHEMERAL' && state === 'TERMINATING';
    const isAddition = lifetime === 'RESERVED' && state === 'ASSIGNING';
    const type = isRemoval ? 'removal' : isAddition ? 'addition' : undefined;
    return [{ instance, type, begun, ended, failed }];
  });
}

function toOperation({ operationType, targetLink, insertTime, endTime, error }: Listed): Operation[] {
  if (endTime === undefined) return [];
  const type = typeOfOperation[operationType];
  const instance = targetLink.slice(targetLink.lastIndexOf('/') + 1);
  const [begun, ended] = [Date.parse(insertTime), Date.parse(endTime)];
  return [{ instance, type, begun, ended, failed: error !== undefined }];
}
