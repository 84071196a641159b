/** What no document of Compute Engine settles. */
import { randomUUID } from 'node:crypto';
import { canonicalIp, sameIp } from '../../clouds/ip.ts';
import type { AddressRef } from '../../model/address.ts';
import { SMOKE_TAG } from '../cloud.ts';
import { observed, type Attempt, type KnownAnswer, type Observation, type Question } from '../question.ts';
import { secondsOf, secondsUntil } from '../seconds.ts';
import {
  addExternal,
  addRequest,
  familyStage,
  readInterface,
  removeExternal,
  setStack,
  stackRequest,
  type GceParts,
} from './family-stage.ts';

const inUseAnswers: readonly KnownAnswer[] = [
  { id: 'operation', meaning: 'the operation fails with IP_IN_USE_BY_ANOTHER_RESOURCE' },
  { id: 'call', meaning: 'the call is refused with the same reason' },
  { id: 'invalid', meaning: '400 invalid', world: 'an address in use is 400 invalid' },
  { id: 'conflict', meaning: '409 conflict', world: 'an address in use is 409 conflict' },
];
const inUseCodes = {
  operation: /^operation .*ip_?in_?use/i,
  call: /^call .*ip_?in_?use/i,
  invalid: /^call (invalid|badRequest)/i,
  conflict: /^call (conflict|alreadyExists|duplicate)/i,
};

type Two = readonly [AddressRef, AddressRef];

export function commonQuestions(parts: GceParts, addresses: Two): Question[] {
  const { hand, region, zone, instance, other, run } = parts;
  const { project, clients } = hand;
  const node = instance.id;
  const [address] = addresses;
  const stage = familyStage(parts, 'ipv4', addresses);
  const add = (requestId?: string): Promise<Attempt> =>
    hand.attempt('instances.addAccessConfig', { zone }, (options) =>
      clients.instances.addAccessConfig(
        { ...addRequest(parts, node, address.ip), ...(requestId && { requestId }) },
        options,
      ),
    );
  return [
    {
      id: 'in-use',
      asks: 'addAccessConfig with a static address that another instance has',
      known: inUseAnswers,
      async ask() {
        await stage.occupy(address);
        await removeExternal(parts, node, 'ipv4');
        return observed(await add(), { codes: inUseCodes });
      },
    },
    {
      id: 'second-config',
      asks: 'addAccessConfig to an interface that has an access config',
      known: [{ id: 'atMostOne', meaning: '"At most one access config currently supported"' }],
      async ask() {
        await removeExternal(parts, node, 'ipv4');
        await addExternal(parts, node, 'ipv4', undefined);
        return observed(await add(), { codes: { atMostOne: /at most one (\w+ )?access config/i } });
      },
    },
    {
      id: 'delete-gone',
      asks: 'deleteAccessConfig of a config that is not there',
      known: [
        { id: 'succeeds', meaning: 'succeeds and changes nothing' },
        {
          id: 'refused',
          meaning: 'is refused',
          world: 'deletion of an access config that is gone is refused',
        },
      ],
      async ask() {
        const attempt = await hand.attempt('instances.deleteAccessConfig', { zone }, (options) =>
          clients.instances.deleteAccessConfig(
            { project, zone, instance: node, networkInterface: 'nic0', accessConfig: `${SMOKE_TAG}-none` },
            options,
          ),
        );
        return observed(attempt, {
          ok: 'succeeds',
          codes: { refused: /^(call|operation) (invalid|badRequest|notFound|resourceNotFound)/i },
        });
      },
    },
    {
      id: 'request-id-again',
      asks: 'a request that comes again under the requestId of one that has succeeded',
      known: [
        { id: 'sameOperation', meaning: 'is answered with its operation' },
        { id: 'refused', meaning: 'is refused', world: 'a request id that comes again is refused' },
      ],
      async ask() {
        await removeExternal(parts, node, 'ipv4');
        const requestId = randomUUID();
        const [first, again] = [await add(requestId), await add(requestId)];
        if (!first.ok) throw new Error(`${first.code}: ${first.message}`);
        const nameIn = (one: Attempt) => (one.ok ? (one.value as { name?: string }).name : undefined);
        return observed(again, {
          ok: nameIn(again) === nameIn(first) ? 'sameOperation' : 'other',
          codes: { refused: /request[ _]?id|conflict/i },
        });
      },
    },
    {
      id: 'stale-fingerprint',
      asks: 'updateNetworkInterface with a fingerprint that is out of date',
      known: [{ id: 'conditionNotMet', meaning: '412 conditionNotMet' }],
      async ask() {
        const { fingerprint } = await readInterface(parts, node);
        await removeExternal(parts, node, 'ipv4');
        await addExternal(parts, node, 'ipv4', undefined);
        const attempt = await hand.attempt('instances.updateNetworkInterface', { zone }, (options) =>
          clients.instances.updateNetworkInterface(
            stackRequest(parts, node, { fingerprint, stackType: 'IPV4_ONLY' }),
            options,
          ),
        );
        return observed(attempt, { codes: { conditionNotMet: /condition_?not_?met/i } });
      },
    },
    {
      id: 'list-by-names',
      asks: 'whether instances.list finds two instances by a filter of their names',
      known: [{ id: 'both', meaning: 'it does, with their interfaces' }],
      async ask() {
        const filter = `(name = ${node}) OR (name = ${other})`;
        const [found] = await hand.call('instances.list', (options) =>
          clients.instances.list({ project, zone, filter }, options),
        );
        const complete = found.filter(({ networkInterfaces: nics }) => nics?.[0]?.fingerprint);
        return complete.length === 2
          ? { answer: 'both' }
          : { answer: 'other', message: `${found.length} found, ${complete.length} of them with interfaces` };
      },
    },
    {
      id: 'mixed-filter-syntax',
      asks: 'a filter of addresses.list that mixes the old syntax with that of AIP-160',
      known: [
        { id: 'refused', meaning: 'is refused' },
        { id: 'served', meaning: 'is served' },
      ],
      async ask() {
        const filter = `(labels.${SMOKE_TAG} eq ${run}) (status=RESERVED)`;
        try {
          const [found] = await hand.call('addresses.list', (options) =>
            clients.addresses.list({ project, region, filter }, options),
          );
          return { answer: 'served', message: `${found.length} found` };
        } catch (error) {
          const { code, message } = error as { code?: string; message: string };
          return { answer: 'refused', code, message };
        }
      },
    },
    {
      id: 'list-age',
      asks: 'how long addresses.list and instances.list show the state before a change whose operation is done',
      known: [
        { id: 'present', meaning: 'the first lists show the change' },
        { id: 'old', meaning: 'later ones do' },
      ],
      async ask() {
        await stage.attach(address);
        const inAddresses = await secondsUntil(async () => {
          const [found] = await hand.call('addresses.list', (options) =>
            clients.addresses.list({ project, region, filter: `(labels.${SMOKE_TAG}=${run})` }, options),
          );
          return found.some(({ name, status }) => name === address.id && status === 'IN_USE');
        });
        const inInstances = await secondsUntil(async () => {
          const [found] = await hand.call('instances.list', (options) =>
            clients.instances.list({ project, zone, filter: `(name = ${node})` }, options),
          );
          return found[0]?.networkInterfaces?.[0]?.accessConfigs?.[0]?.natIP === address.ip;
        });
        const message = `addresses after ${inAddresses ?? '>60'} s, instances after ${inInstances ?? '>60'} s`;
        if (inAddresses === undefined || inInstances === undefined) return { answer: 'other', message };
        return { answer: inAddresses < 1 && inInstances < 1 ? 'present' : 'old', message };
      },
    },
    {
      id: 'operation-time',
      asks: 'how long the operations of an IPv4 access config take',
      known: [{ id: 'measured', meaning: 'in seconds, from the call until the wait answers' }],
      async ask() {
        const removed: number[] = [];
        const added: number[] = [];
        await removeExternal(parts, node, 'ipv4');
        for (let n = 0; n < 3; n++) {
          added.push(await secondsOf(() => addExternal(parts, node, 'ipv4', address.ip)));
          removed.push(await secondsOf(() => removeExternal(parts, node, 'ipv4')));
        }
        return {
          answer: 'measured',
          message: `added in ${added.join(', ')}; removed in ${removed.join(', ')}`,
        };
      },
    },
  ];
}

/** @param externalIpv6 an address, or what might be taken for one */
function ipv6Config(externalIpv6: string) {
  return {
    type: 'DIRECT_IPV6',
    name: `${SMOKE_TAG}-name`,
    networkTier: 'PREMIUM',
    externalIpv6,
    externalIpv6PrefixLength: 96,
  };
}

export function ipv6Questions(parts: GceParts, addresses: Two): Question[] {
  const { hand, region, zone, instance } = parts;
  const { project, clients } = hand;
  const node = instance.id;
  const [address] = addresses;
  const stage = familyStage(parts, 'ipv6', addresses);
  const bare = async (): Promise<void> => removeExternal(parts, node, 'ipv6');
  const add = async (externalIpv6: string): Promise<Attempt> => {
    const { fingerprint } = await readInterface(parts, node);
    const patch = { fingerprint, stackType: 'IPV4_IPV6', ipv6AccessConfigs: [ipv6Config(externalIpv6)] };
    return hand.attempt('instances.updateNetworkInterface', { zone }, (options) =>
      clients.instances.updateNetworkInterface(stackRequest(parts, node, patch), options),
    );
  };
  const added = async (): Promise<{ name: string; ip: string }> => {
    await bare();
    const attempt = await add(address.ip);
    if (!attempt.ok) throw new Error(`${attempt.code}: ${attempt.message}`);
    const [config] = (await readInterface(parts, node)).ipv6AccessConfigs ?? [];
    return { name: config?.name ?? '', ip: config?.externalIpv6 ?? '' };
  };
  return [
    {
      id: 'ipv6-in-use',
      asks: 'updateNetworkInterface with a static IPv6 address that another instance has',
      known: inUseAnswers,
      async ask() {
        await stage.occupy(address);
        await bare();
        return observed(await add(address.ip), { codes: inUseCodes });
      },
    },
    {
      id: 'ipv6-by-access-config',
      asks: 'addAccessConfig of type DIRECT_IPV6 to a dual-stack interface without an external address',
      known: [
        { id: 'refused', meaning: 'is refused' },
        { id: 'served', meaning: 'is served', world: 'addAccessConfig and deleteAccessConfig serve IPv6' },
      ],
      async ask() {
        await bare();
        await setStack(parts, node, { stackType: 'IPV4_IPV6' });
        const attempt = await hand.attempt('instances.addAccessConfig', { zone }, (options) =>
          clients.instances.addAccessConfig(
            {
              ...addRequest(parts, node, undefined),
              accessConfigResource: ipv6Config(address.ip),
            },
            options,
          ),
        );
        return observed(attempt, {
          ok: 'served',
          codes: { refused: /^(call|operation) (invalid|badRequest)/i },
        });
      },
    },
    {
      id: 'ipv6-without-config',
      asks: 'whether an interface that becomes dual-stack without ipv6AccessConfigs has an external address',
      known: [{ id: 'none', meaning: 'it has none' }],
      async ask(): Promise<Observation> {
        await bare();
        await setStack(parts, node, { stackType: 'IPV4_IPV6' });
        const [config] = (await readInterface(parts, node)).ipv6AccessConfigs ?? [];
        return config?.externalIpv6 ? { answer: 'other', message: 'It has one.' } : { answer: 'none' };
      },
    },
    {
      id: 'ipv6-config-name',
      asks: 'whether the name of an IPv6 access config is kept',
      known: [
        { id: 'kept', meaning: 'it is' },
        { id: 'lost', meaning: 'it is not', world: 'names of IPv6 access configs are not kept' },
      ],
      async ask() {
        const { name } = await added();
        return { answer: name === `${SMOKE_TAG}-name` ? 'kept' : 'lost', message: name };
      },
    },
    {
      id: 'ipv6-form',
      asks: 'in which text form instances.get shows an IPv6 address',
      known: [
        { id: 'compressed', meaning: 'compressed, as RFC 5952 has it' },
        { id: 'writtenOut', meaning: 'written out', world: 'IPv6 addresses are written out' },
      ],
      async ask() {
        const { ip } = await added();
        if (!sameIp(ip, address.ip)) return { answer: 'other', message: ip };
        return { answer: ip === canonicalIp(ip) ? 'compressed' : 'writtenOut', message: ip };
      },
    },
    {
      id: 'ipv6-by-url',
      asks: 'whether externalIpv6 takes the URL of an address',
      known: [
        { id: 'served', meaning: 'it does' },
        { id: 'refused', meaning: 'it does not' },
      ],
      async ask() {
        await bare();
        const url = `https://www.googleapis.com/compute/v1/projects/${project}/regions/${region}/addresses/${address.id}`;
        return observed(await add(url), {
          ok: 'served',
          codes: { refused: /^(call|operation) (invalid|badRequest)/i },
        });
      },
    },
  ];
}
