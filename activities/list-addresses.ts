/** What the mutex asks for by `select`: one list for each pool, and what it says about those who wait. Reads only. */
import { inTime } from '../clouds/call-deadline.ts';
import { canonicalIp } from '../clouds/ip.ts';
import { CloudError, type CloudProvider } from '../clouds/provider.ts';
import { type Address, type AddressRef, canServe } from '../model/address.ts';
import type { ListedPool, ListInput, ListResult } from './contract.ts';

type AskedPool = ListInput['pools'][number];

/** Less than the activity may take (AddressPoolWorkflow), so that the others are served. */
const LONGEST_LIST_MS = 45_000;

/**
 * One list for each pool, all at once. A pool that can never be listed is reported as its `error`, and one that cannot be listed now
 * among `unlisted`: neither keeps those waiting that wait for others.
 *
 * @param longestMs a list that takes longer is given up
 * @throws CloudError if none of them can be listed now, or, if `whole`, one cannot
 */
export async function listAddresses(
  provider: CloudProvider,
  { pools: asked, claimed: claimedIds, whole = false }: Omit<ListInput, 'scope'>,
  longestMs = LONGEST_LIST_MS,
): Promise<ListResult> {
  const claimed = new Set(claimedIds);
  const holders = new Map<string, string | null>();
  const failed: { readonly key: string; readonly error: unknown }[] = [];
  const found = await Promise.all(
    asked.map(async (pool): Promise<ListedPool | undefined> => {
      try {
        const addresses = await inTime(listPool(provider, pool, claimed.size), longestMs, () => {
          const message = `the list has not ended after ${longestMs / 1_000} s (ListDeadline)`;
          return new CloudError('Unavailable', message, { code: 'ListDeadline' });
        });
        for (const { id, association } of addresses) {
          if (claimed.has(id)) holders.set(id, association?.instanceId ?? null);
        }
        return listedPool(pool, addresses, claimed);
      } catch (error) {
        if (!isPermanent(error)) {
          failed.push({ key: pool.key, error });
          return undefined;
        }
        const denied = error.kind === 'Denied' ? { denied: true } : {};
        return { key: pool.key, size: 0, free: [], held: [], pinned: [], error: error.message, ...denied };
      }
    }),
  );
  const [first] = failed;
  if (first !== undefined && (whole || failed.length === asked.length)) throw first.error;
  return {
    pools: found.filter((pool) => pool !== undefined),
    ...(first === undefined
      ? {}
      : { unlisted: failed.map(({ key, error }) => ({ key, error: messageOf(error) })) }),
    claims: [...holders].map(([addressId, instanceId]) => ({ addressId, instanceId })),
  };
}

/** All of the pool that are of use; an IPv6 range may be too large for a whole list, so what is pinned is read besides. */
async function listPool(provider: CloudProvider, pool: AskedPool, claims: number): Promise<Address[]> {
  const { query, want, pinned } = pool;
  // What is claimed or pinned may stand first among the free ones, and is of no use to the others.
  const wantFree = want + claims + pinned.length;
  const listed = await provider.listAddresses(query, { wantFree });
  const isCut = listed.filter(({ association }) => association === undefined).length >= wantFree;
  if (query.family === 'ipv4' || !isCut) return listed;
  const known = new Set(listed.flatMap(namesOf));
  const missing = new Set(pinned.map(({ wanted }) => canonicalIp(wanted)).filter((it) => !known.has(it)));
  const read = await Promise.all([...missing].map((id) => provider.readAddress(query, id)));
  return [...listed, ...read.filter((address) => address !== undefined)];
}

function listedPool(pool: AskedPool, all: readonly Address[], claimed: Set<string>): ListedPool {
  // An address of another network border group cannot serve these nodes. It does not count, whether it is free or in use.
  const addresses = all.filter((address) => canServe(pool.query, address));
  const byName = new Map(addresses.flatMap((address) => namesOf(address).map((name) => [name, address])));
  const find = (name: string): Address | undefined => byName.get(name) ?? byName.get(canonicalIp(name));
  const wantedBy = new Map(pool.pinned.map(({ workflowId, wanted }) => [workflowId, find(wanted)]));
  const isFree = ({ id, association }: Address): boolean => association === undefined && !claimed.has(id);
  const free = addresses.filter(isFree);
  return {
    key: pool.key,
    size: addresses.length,
    unused: free.length,
    free: free.slice(0, pool.want).map(refOf),
    held: pool.holders.flatMap(({ workflowId, ips }) => {
      const own = ips.flatMap((ip) => find(ip) ?? []);
      const wanted = wantedBy.get(workflowId);
      const kept = own.find((address) => address === wanted) ?? own[0];
      return kept === undefined ? [] : [{ workflowId, address: refOf(kept) }];
    }),
    pinned: [...wantedBy].flatMap(([workflowId, address]) =>
      address === undefined
        ? []
        : [{ workflowId, address: refOf(address), free: address.association === undefined }],
    ),
  };
}

/** By which a person may call it. */
function namesOf({ id, ip }: Address): string[] {
  return [id, canonicalIp(ip)];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function refOf({ id, ip }: Address): AddressRef {
  return { id, ip };
}

/** One pool's bad filter or missing permission must not keep the others waiting. */
function isPermanent(error: unknown): error is CloudError {
  return error instanceof CloudError && (error.kind === 'Invalid' || error.kind === 'Denied');
}
