/** Finds by their names and labels what runs have created, and removes it. */
import { CloudError } from '../../clouds/provider.ts';
import { SMOKE_TAG, type Leftover } from '../cloud.ts';
import type { GceHand } from './connection.ts';

interface Where {
  readonly region: string;
  readonly zone: string;
}

/** The name tells, too: an address is created before it has its labels. */
const ofRun = new RegExp(`^${SMOKE_TAG}-([0-9a-f]{8})-`);

export async function findLeftovers(
  hand: GceHand,
  { region, zone }: Where,
  run: string | undefined,
): Promise<Leftover[]> {
  const { project } = hand;
  // The clients go on to the next page by themselves.
  const [instances] = await hand.call('instances.list', (options) =>
    hand.clients.instances.list({ project, zone }, options),
  );
  const [addresses] = await hand.call('addresses.list', (options) =>
    hand.clients.addresses.list({ project, region }, options),
  );
  const toLeftovers = (kind: string, all: readonly { readonly name?: string | null }[]): Leftover[] =>
    all.flatMap(({ name }) => {
      const [, of = ''] = ofRun.exec(name ?? '') ?? [];
      return of === '' || (run !== undefined && run !== of) ? [] : [{ kind, id: name ?? '', run: of }];
    });
  return [...toLeftovers('instance', instances), ...toLeftovers('address', addresses)];
}

/** Instances first: an address in use cannot be deleted. What can be removed is removed, whatever fails. */
export async function removeLeftovers(
  hand: GceHand,
  { region, zone }: Where,
  leftovers: readonly Leftover[],
): Promise<void> {
  const { project, clients } = hand;
  const failures: unknown[] = [];
  const removeAll = async (kind: string, remove: (name: string) => Promise<unknown>): Promise<void> => {
    await Promise.all(
      leftovers
        .filter((one) => one.kind === kind)
        .map(({ id }) =>
          remove(id).catch((error: unknown) => {
            const isGone = error instanceof CloudError && error.kind === 'NotFound';
            if (!isGone) failures.push(error);
          }),
        ),
    );
  };
  await removeAll('instance', (instance) =>
    hand.change('instances.delete', { zone }, (options) =>
      clients.instances.delete({ project, zone, instance }, options),
    ),
  );
  await removeAll('address', (address) =>
    hand.change('addresses.delete', { region }, (options) =>
      clients.addresses.delete({ project, region, address }, options),
    ),
  );
  if (failures.length > 0) throw failures[0];
}
