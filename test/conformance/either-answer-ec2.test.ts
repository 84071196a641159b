/** The AWS provider with each answer that EC2 could give where no document says which. */
import { describe, expect, test } from '@jest/globals';
import type { CloudProvider } from '../../clouds/provider.ts';
import { startEc2Emulator, type Ec2Emulator } from '../../sandbox/ec2/emulator.ts';
import { associatingCases } from '../contract/associating-cases.ts';
import { sharedIpv6Cases } from '../contract/aws-ipv6-cases.ts';
import { openEc2Backend, type Ec2Backend } from '../contract/ec2-backend.ts';
import { openEc2Ipv6Backend, type Ec2Ipv6Backend } from '../contract/ec2-ipv6-backend.ts';
import type { AwsProviderOptions } from '../../clouds/aws/aws-provider.ts';
import { runProviderContract } from '../contract/provider-contract.ts';
import { releasingCases } from '../contract/releasing-cases.ts';
import { emptyEc2 } from '../integration/emptying-proxy.ts';
import { eitherAnswerCases, listCases, type EitherAnswerBackend } from './either-answer-cases.ts';
import { startEitherAnswerProxy, type Answer, type Answering, type Asked } from './either-answer-proxy.ts';

interface World {
  /** What this EC2 does, as a sentence. */
  readonly name: string;
  readonly answering?: Answering;
  readonly cases?: typeof listCases;
}

function refusal(code: string, message: string, status = 400): Answer {
  const body =
    `<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors>` +
    '<RequestID>00000000-0000-4000-8000-000000000000</RequestID></Response>';
  return { status, type: 'text/xml;charset=UTF-8', body };
}

const actionOf = ({ body }: Asked): string => new URLSearchParams(body).get('Action') ?? '';
const isAction =
  (...names: readonly string[]) =>
  (asked: Asked): boolean =>
    names.includes(actionOf(asked));

/** @returns whether a Describe call with this filter shows an association */
async function isAssociated(send: Parameters<Answering>[1], filter: string, value: string): Promise<boolean> {
  const body = `Action=DescribeAddresses&Version=2016-11-15&Filter.1.Name=${filter}&Filter.1.Value.1=${value}`;
  return (await send({ body })).body.includes('associationId');
}

/** AllowReassociation=false, taken at its word: for what it is about, no document says. */
function refusesAssociated(parameter: string, filter: string): Answering {
  return async (asked, send) => {
    const value = new URLSearchParams(asked.body).get(parameter) ?? '';
    if (actionOf(asked) !== 'AssociateAddress' || !(await isAssociated(send, filter, value))) return send();
    return refusal('Resource.AlreadyAssociated', `resource ${value} is already associated.`);
  };
}

/** @returns the answer with another code and other words, if it is this error */
function renamed(code: string, other: string, message: string): Answering {
  return async (_, send) => {
    const answer = await send();
    return answer.body.includes(`<Code>${code}</Code>`) ? refusal(other, message) : answer;
  };
}

/** `2001:db8::5` as `2001:db8:0:0:0:0:0:5`. */
function writtenOut(ip: string): string {
  const [head = '', tail = ''] = ip.split('::');
  const [before, after] = [head.split(':').filter(Boolean), tail.split(':').filter(Boolean)];
  return [...before, ...Array(8 - before.length - after.length).fill('0'), ...after].join(':');
}

const compressed = /[0-9a-f:]*::[0-9a-f:]*/g;

const ipv4Worlds: readonly World[] = [
  { name: 'as the emulator answers', cases: listCases },
  {
    name: 'an interface with an Elastic IP is given no other',
    answering: refusesAssociated('NetworkInterfaceId', 'network-interface-id'),
  },
  {
    name: 'an address that the interface has is refused as taken',
    answering: refusesAssociated('AllocationId', 'allocation-id'),
  },
  {
    name: 'an address in use is InvalidParameterValue',
    answering: renamed('Resource.AlreadyAssociated', 'InvalidParameterValue', 'The address is in use.'),
  },
  {
    name: 'an association that is gone is InvalidParameterValue',
    answering: renamed('InvalidAssociationID.NotFound', 'InvalidParameterValue', 'There is no such thing.'),
  },
];

const ipv6Worlds: readonly World[] = [
  { name: 'as the emulator answers', cases: listCases },
  {
    name: 'an IPv6 address in use is InvalidParameterValue',
    answering: renamed('InvalidIPAddress.InUse', 'InvalidParameterValue', 'The address is in use.'),
  },
  {
    name: 'the filter by IPv6 address compares another text form',
    answering: async (asked, send) =>
      actionOf(asked) === 'DescribeNetworkInterfaces' && asked.body.includes('ipv6-addresses')
        ? send({ body: asked.body.replaceAll(/(Filter\.1\.Value\.\d+=)[^&]+/g, '$12001%3Adb8%3A%3Adead') })
        : send(),
  },
  {
    name: 'IPv6 addresses are written out in answers',
    answering: async (asked, send) => {
      const answer = await send();
      if (!actionOf(asked).startsWith('Describe') && actionOf(asked) !== 'AssignIpv6Addresses') return answer;
      const body = answer.body.replaceAll(
        /(<ipv6Address>|<assignedIpv6Addresses>\s*<item>)([0-9a-f:]*::[0-9a-f:]*)(?=<)/g,
        (_, tag: string, ip: string) => tag + ip.replaceAll(compressed, writtenOut),
      );
      return { ...answer, body };
    },
  },
  {
    name: 'the answer to an assignment does not name what was assigned',
    answering: async (asked, send) => {
      const answer = await send();
      if (actionOf(asked) !== 'AssignIpv6Addresses') return answer;
      const body = answer.body.replaceAll(/<assignedIpv6Addresses>[\s\S]*?<\/assignedIpv6Addresses>/g, '');
      return { ...answer, body };
    },
  },
];

interface Opened {
  readonly openProvider: (options?: Partial<AwsProviderOptions>) => CloudProvider;
  readonly close: () => Promise<void>;
}

/** The same backend, its providers behind the proxy; a person's hand goes to the emulator itself. */
async function behindProxy<Backend extends Opened>(
  backend: Backend,
  emulator: Ec2Emulator,
  { answering }: World,
): Promise<Backend & EitherAnswerBackend> {
  const proxy = await startEitherAnswerProxy(emulator.url, answering, emptyEc2);
  const openProvider: Opened['openProvider'] = (options) =>
    backend.openProvider({ endpoint: proxy.url, ...options });
  return {
    ...(backend as Backend & EitherAnswerBackend),
    openProvider,
    provider: openProvider(),
    proxy,
    isAddition: isAction('AssociateAddress', 'AssignIpv6Addresses'),
    isRemoval: isAction('DisassociateAddress', 'UnassignIpv6Addresses'),
    unknownRefusal: refusal('SomethingNew', 'A refusal never heard of.'),
    setLists: (how) => {
      emulator.configure({ staleListsMs: how === 'old' ? 600_000 : 0 });
      proxy.lists = how === 'empty' || how === 'cut' ? how : undefined;
    },
    async close() {
      await backend.close();
      await proxy.close();
    },
  };
}

async function openIpv4(world: World): Promise<Ec2Backend & EitherAnswerBackend> {
  const emulator = await startEc2Emulator();
  const { url: endpoint, region, accountId: account } = emulator;
  const backend = await openEc2Backend({ endpoint, region, account, stop: () => emulator.close() });
  return behindProxy(backend, emulator, world);
}

async function openIpv6(world: World): Promise<Ec2Ipv6Backend & EitherAnswerBackend> {
  const emulator = await startEc2Emulator();
  const { url: endpoint, region, accountId: account } = emulator;
  const backend = await openEc2Ipv6Backend({ endpoint, region, account, stop: () => emulator.close() });
  return behindProxy(backend, emulator, world);
}

/** The end of an instance takes a second, and is answered alike in all worlds. */
const isQuick = ({ name }: { readonly name: string }): boolean => !/terminated|is gone/.test(name);

for (const world of ipv4Worlds) {
  runProviderContract(`EC2 where ${world.name}, ipv4`, () => openIpv4(world), [
    ...[...associatingCases, ...releasingCases].filter(isQuick),
    ...eitherAnswerCases,
    ...(world.cases ?? []),
  ]);
}

for (const world of ipv6Worlds) {
  runProviderContract(`EC2 where ${world.name}, ipv6`, () => openIpv6(world), [
    ...sharedIpv6Cases.filter(isQuick),
    ...eitherAnswerCases,
    ...(world.cases ?? []),
  ]);
}

describe('a refusal that has a cause that a person must know', () => {
  test.each([
    [
      'UnauthorizedOperation',
      'with an explicit deny in a resource-based policy',
      /operated by an AWS service/,
    ],
    ['OperationNotPermitted', 'The interface is managed by eks.amazonaws.com.', /operated by an AWS service/],
    [
      'AuthFailure',
      "The address 'eipalloc-1' does not belong to you.",
      /another AWS account; the credentials are fine/,
    ],
  ])('%s: %s', async (code, message, words) => {
    const backend = await openIpv4({ name: '' });
    try {
      const { provider, proxy, isAddition, createInstance, createPool, reserve } = backend;
      const [ref, address] = [await createInstance(), await reserve(createPool())];
      proxy.refuseNext(isAddition, refusal(code, message, 403), false);
      await expect(provider.associate(ref, address)).rejects.toMatchObject({
        kind: 'Denied',
        message: expect.stringMatching(words),
      });
    } finally {
      await backend.close();
    }
  });

  test('a release that EC2 does not permit says so, and not that a permission is missing', async () => {
    const backend = await openIpv4({ name: '' });
    try {
      const { provider, proxy, isRemoval, createInstance, createPool, reserve, holderOf } = backend;
      const pool = createPool();
      const [ref, address] = [await createInstance(), await reserve(pool)];
      const { networkInterfaceId } = await provider.associate(ref, address);
      const why = 'The network interface has a public DNS name.';
      proxy.refuseNext(isRemoval, refusal('OperationNotPermitted', why), false);
      await expect(provider.release(ref, address, pool)).rejects.toMatchObject({
        message: expect.stringMatching(/does not permit it.*public DNS name/),
      });
      expect(await holderOf(address)).toBe(networkInterfaceId);
    } finally {
      await backend.close();
    }
  });
});
