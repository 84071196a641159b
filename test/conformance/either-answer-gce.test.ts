/** The GCP provider with each answer that Compute Engine could give where no document says which. */
import { expect } from '@jest/globals';
import type { Family } from '../../model/address.ts';
import type { GceEmulatorOptions } from '../../sandbox/gce/emulator.ts';
import { associatingCases } from '../contract/associating-cases.ts';
import { openGceBackend, type GceBackend } from '../contract/gce-backend.ts';
import { gceEphemeralCases } from '../contract/gce-ephemeral-cases.ts';
import { runProviderContract, type ContractCase } from '../contract/provider-contract.ts';
import { releasingCases } from '../contract/releasing-cases.ts';
import { emptyGce } from '../integration/emptying-proxy.ts';
import { eitherAnswerCases, listCases, type EitherAnswerBackend } from './either-answer-cases.ts';
import { startEitherAnswerProxy, type Answer, type Answering, type Asked } from './either-answer-proxy.ts';

type Backend = GceBackend & EitherAnswerBackend;

interface World {
  /** What this Compute Engine does, as a sentence. */
  readonly name: string;
  readonly families: readonly Family[];
  readonly answering?: () => Answering;
  readonly emulator?: GceEmulatorOptions;
  readonly cases?: readonly ContractCase<Backend>[];
  /** It changes what becomes of an ephemeral address: those cases too. */
  readonly isThorough?: true;
}

const both = ['ipv4', 'ipv6'] as const;

function refusal(status: number, reason: string, message: string): Answer {
  const error = { code: status, message, errors: [{ message, domain: 'global', reason }] };
  return { status, type: 'application/json; charset=UTF-8', body: JSON.stringify({ error }) };
}

/** An address in use, in other words than the emulator's: an answer to the call, not the end of an operation. */
function inUseAs(status: number, reason: string, message: string): () => Answering {
  return () => async (_, send) => {
    const answer = await send();
    return answer.body.includes('IP_IN_USE_BY_ANOTHER_RESOURCE') ||
      answer.body.includes('ipInUseByAnotherResource')
      ? refusal(status, reason, message)
      : answer;
  };
}

const isInstance = ({ method, path }: Asked) => method === 'GET' && /\/instances\/[^/?]+(\?|$)/.test(path);

/** `2001:db8::5` as `2001:db8:0:0:0:0:0:5`. */
function writtenOut(ip: string): string {
  const [head = '', tail = ''] = ip.split('::');
  const [before, after] = [head.split(':').filter(Boolean), tail.split(':').filter(Boolean)];
  return [...before, ...Array(8 - before.length - after.length).fill('0'), ...after].join(':');
}

/** deleteAccessConfig of a config that is not there is an error, as it is for most resources. */
function deletionOfNone(): Answering {
  return async ({ method, path, body }, send) => {
    const url = new URL(path, 'http://gce');
    if (!url.pathname.endsWith('/deleteAccessConfig')) return send({ method, path, body });
    const instance = await send({
      method: 'GET',
      path: url.pathname.replace(/\/deleteAccessConfig$/, ''),
      body: '',
    });
    const name = url.searchParams.get('accessConfig') ?? '';
    if (instance.body.includes(`"name":${JSON.stringify(name)}`)) return send();
    const message = `Invalid value for field 'accessConfig': '${name}'. The access config does not exist.`;
    return refusal(400, 'invalid', message);
  };
}

function idsOnce(): Answering {
  const seen = new Set<string>();
  return async ({ path }, send) => {
    const id = new URL(path, 'http://gce').searchParams.get('requestId');
    if (id === null) return send();
    if (seen.has(id)) return refusal(409, 'conflict', `The request ID '${id}' was used before.`);
    seen.add(id);
    return send();
  };
}

const ephemeral = { autoAssignedIp: true };

/** Whatever a race is answered with, the node has the address that it had: an ephemeral one. */
const ephemeralCases: readonly ContractCase<Backend>[] = [
  {
    name: 'an ephemeral address that was removed for an address that another took meanwhile comes back',
    async run(backend) {
      const { provider, proxy, isAddition, createInstance, createPool, reserve, attachByHand } = backend;
      const [ref, faster] = [await createInstance(ephemeral), await createInstance()];
      const address = await reserve(createPool());
      proxy.beforeNext(isAddition, () => attachByHand(address, faster));
      await expect(provider.associate(ref, address)).rejects.toMatchObject({ kind: 'InUse' });
      expect(backend.externalOf(ref)).toEqual(['ephemeral']);
    },
  },
  {
    name: 'an ephemeral address that was removed for an association that is refused comes back',
    async run(backend) {
      const { provider, proxy, isAddition, unknownRefusal, createInstance, createPool, reserve } = backend;
      const [ref, address] = [await createInstance(ephemeral), await reserve(createPool())];
      proxy.refuseNext(isAddition, unknownRefusal, false);
      await expect(provider.associate(ref, address)).rejects.toMatchObject({ kind: 'Unavailable' });
      expect(backend.externalOf(ref)).toEqual(['ephemeral']);
    },
  },
  {
    name: 'an ephemeral address that is removed although the answer is a refusal makes room',
    async run(backend) {
      const { provider, proxy, isRemoval, unknownRefusal, createInstance, createPool, reserve } = backend;
      const [ref, address] = [await createInstance(ephemeral), await reserve(createPool())];
      proxy.refuseNext(isRemoval, unknownRefusal, true);
      await provider.associate(ref, address);
      expect(backend.externalOf(ref)).toEqual([address.id]);
    },
  },
];

const namesLost: ContractCase<Backend> = {
  name: 'a node whose history was lost gets an ephemeral address when its static one is released',
  async run({ provider, openProvider, createInstance, createPool, reserve, externalOf, family }) {
    const pool = createPool();
    const [ref, address] = [await createInstance(ephemeral), await reserve(pool)];
    await provider.associate(ref, address);
    const [shown] = (await openProvider().findInstance(ref)).publicIps;
    expect(shown).toMatchObject({ ip: address.ip, kind: 'static', inPlaceOfEphemeral: true });
    expect(await provider.release(ref, address, pool)).toBe('released');
    expect(await provider.restoreEphemeral(ref, family)).toBe('restored');
    expect(externalOf(ref)).toEqual(['ephemeral']);
  },
};

const worlds: readonly World[] = [
  { name: 'as the emulator answers', families: both, cases: listCases },
  {
    name: 'an address in use is 400 invalid',
    families: both,
    answering: inUseAs(
      400,
      'invalid',
      "Invalid value for field 'resource': 'x'. Specified IP address is in-use.",
    ),
  },
  {
    name: 'an address in use is 409 conflict',
    families: both,
    answering: inUseAs(409, 'conflict', "The address 'x' is already being used."),
  },
  {
    name: 'deletion of an access config that is gone is refused',
    families: ['ipv4'],
    answering: deletionOfNone,
    isThorough: true,
  },
  { name: 'a request id that comes again is refused', families: both, answering: idsOnce },
  {
    name: 'IPv6 addresses are written out',
    families: ['ipv6'],
    answering: () => async (_, send) => {
      const answer = await send();
      const body = answer.body.replace(
        /"(externalIpv6|address)":"([0-9a-f:]*::[0-9a-f:]*)"/g,
        (_all, field: string, ip: string) => `"${field}":"${writtenOut(ip)}"`,
      );
      return { ...answer, body };
    },
  },
  {
    name: 'names of IPv6 access configs are not kept',
    families: ['ipv6'],
    answering: () => async (asked, send) => {
      const answer = await send();
      if (!isInstance(asked)) return answer;
      const body = answer.body.replace(
        /"type":"DIRECT_IPV6","name":"[^"]*"/g,
        '"type":"DIRECT_IPV6","name":"External IPv6"',
      );
      return { ...answer, body };
    },
    cases: [namesLost],
    isThorough: true,
  },
  {
    name: 'addAccessConfig and deleteAccessConfig serve IPv6',
    families: ['ipv6'],
    emulator: { ipv6AccessConfigCalls: 'served' },
  },
];

async function open(family: Family, { answering, emulator }: World): Promise<Backend> {
  const backend = await openGceBackend(family, emulator);
  const proxy = await startEitherAnswerProxy(backend.emulator.url, answering?.(), emptyGce);
  const openProvider: GceBackend['openProvider'] = (options) =>
    backend.openProvider({ endpoint: proxy.url, ...options });
  const calls = {
    ipv4: { add: /\/addAccessConfig/, remove: /\/deleteAccessConfig/ },
    ipv6: { add: /"stackType":"IPV4_IPV6"/, remove: /"stackType":"IPV4_ONLY"/ },
  }[family];
  return {
    ...backend,
    provider: openProvider(),
    openProvider,
    proxy,
    isAddition: ({ path, body }) => calls.add.test(path + body),
    isRemoval: ({ path, body }) => calls.remove.test(path + body),
    unknownRefusal: refusal(400, 'somethingNew', 'A refusal never heard of.'),
    setLists: (how) => {
      backend.emulator.configure({ staleListsMs: how === 'old' ? 600_000 : 0 });
      proxy.lists = how === 'empty' || how === 'cut' ? how : undefined;
    },
    async close() {
      await backend.close();
      await proxy.close();
    },
  };
}

const onSecondInterface = /secondary interface|interface without an instance/;
/** Ephemeral cases that say themselves how the cloud answers, take their time, or need the names of access configs. */
const ownAnswer =
  /repeated request|long operation|of its own|and only then|never had one|fails for good after the deletion/;

for (const world of worlds) {
  for (const family of world.families) {
    // An IPv6 address serves its own subnetwork, and an instance's interfaces are in different ones.
    const shared = [...associatingCases, ...releasingCases].filter(
      ({ name }) => family === 'ipv4' || !onSecondInterface.test(name),
    );
    runProviderContract<Backend>(`Compute Engine where ${world.name}, ${family}`, () => open(family, world), [
      ...shared,
      ...(world.isThorough === true ? gceEphemeralCases.filter(({ name }) => !ownAnswer.test(name)) : []),
      ...eitherAnswerCases,
      ...ephemeralCases,
      ...(world.cases ?? []),
    ]);
  }
}
