/** What no document of Oracle Cloud settles. */
import { randomUUID } from 'node:crypto';
import type { AddressRef } from '../../model/address.ts';
import { observed, type Question } from '../question.ts';
import { secondsOf, secondsUntil } from '../seconds.ts';
import { bare, familyStage, free, type OciParts } from './family-stage.ts';

export function ociQuestions(parts: OciParts, addresses: readonly [AddressRef, AddressRef]): Question[] {
  const { hand, node } = parts;
  const { api, changes } = hand;
  const [address, second] = addresses;
  const stage = familyStage(parts, addresses);
  const toNode = { privateIpId: node.privateIpId };
  const assign = async () => {
    const { etag } = await api.getPublicIp(address.id);
    return await hand.attempt(() => api.updatePublicIp(address.id, toNode, etag));
  };
  const create = (token: string) =>
    api.createEphemeralPublicIp({ compartmentId: node.compartmentId, ...toNode }, token);
  const createAndDelete = async (token: string): Promise<string> => {
    await bare(hand, node);
    const made = await changes.settled(await create(token), {});
    await bare(hand, node);
    return made.value.id;
  };
  return [
    {
      id: 'stale-etag',
      asks: 'UpdatePublicIp with an etag that is out of date',
      known: [{ id: 'noEtagMatch', meaning: '412 NoEtagMatch' }],
      async ask() {
        const { etag } = await api.getPublicIp(address.id);
        await stage.attach(address);
        await stage.detach(address);
        const attempt = await hand.attempt(() => api.updatePublicIp(address.id, toNode, etag));
        return observed(attempt, { codes: { noEtagMatch: /^call NoEtagMatch/ } });
      },
    },
    {
      id: 'in-use',
      asks: 'UpdatePublicIp, on its present etag, of a public IP that another instance has',
      known: [
        { id: 'moves', meaning: 'it moves: the etag alone keeps it where it is' },
        { id: 'refused', meaning: 'is refused' },
      ],
      async ask() {
        await stage.occupy(address);
        await bare(hand, node);
        return observed(await assign(), {
          ok: 'moves',
          codes: { refused: /^call (Conflict|IncorrectState)/ },
        });
      },
    },
    {
      id: 'target-taken',
      asks: 'UpdatePublicIp to a private IP that has another public IP',
      known: [
        { id: 'conflict', meaning: '409' },
        { id: 'invalid', meaning: '400' },
      ],
      async ask() {
        await stage.attach(second);
        return observed(await assign(), {
          codes: { conflict: /^call (Conflict|IncorrectState)/, invalid: /^call (Invalid|LimitExceeded)/ },
        });
      },
    },
    {
      id: 'second-ephemeral',
      asks: 'CreatePublicIp for a private IP that has a public IP',
      known: [
        { id: 'conflict', meaning: '409' },
        { id: 'invalid', meaning: '400' },
      ],
      async ask() {
        await stage.attach(address);
        return observed(await hand.attempt(() => create(randomUUID())), {
          codes: { conflict: /^call (Conflict|IncorrectState)/, invalid: /^call (Invalid|LimitExceeded)/ },
        });
      },
    },
    {
      id: 'delete-gone',
      asks: 'DeletePublicIp of a public IP that is gone',
      known: [{ id: 'notFound', meaning: '404 NotAuthorizedOrNotFound' }],
      async ask() {
        const id = await createAndDelete(randomUUID());
        return observed(await hand.attempt(() => api.deletePublicIp(id, '*')), {
          codes: { notFound: /^call NotAuthorizedOrNotFound/ },
        });
      },
    },
    {
      id: 'retry-token-again',
      asks: 'CreatePublicIp that comes again under its retry token',
      known: [{ id: 'same', meaning: 'is answered with the same public IP' }],
      async ask() {
        await bare(hand, node);
        const token = randomUUID();
        const made = await create(token);
        const again = await create(token);
        return { answer: made.value.id === again.value.id ? 'same' : 'other' };
      },
    },
    {
      id: 'retry-token-undone',
      asks: 'the same, after the public IP was deleted',
      known: [
        { id: 'invalidated', meaning: '409 InvalidatedRetryToken' },
        { id: 'deleted', meaning: 'is answered with the one that was deleted' },
      ],
      async ask() {
        const token = randomUUID();
        const id = await createAndDelete(token);
        const attempt = await hand.attempt(async () => (await create(token)).value.id);
        return observed(attempt, {
          ok: attempt.ok && attempt.value === id ? 'deleted' : 'other',
          codes: { invalidated: /^call InvalidatedRetryToken/ },
        });
      },
    },
    {
      id: 'etag-by-private-ip',
      asks: 'whether GetPublicIpByPrivateIpId answers the etag of GetPublicIp',
      known: [{ id: 'same', meaning: 'it does' }],
      async ask() {
        await stage.attach(address);
        const byItself = await api.getPublicIp(address.id);
        const byPrivateIp = await api.getPublicIpByPrivateIp(node.privateIpId);
        return { answer: byItself.etag === byPrivateIp.etag ? 'same' : 'other' };
      },
    },
    {
      id: 'bare-private-ip',
      asks: 'GetPublicIpByPrivateIpId of a private IP that has none',
      known: [{ id: 'notFound', meaning: '404 NotAuthorizedOrNotFound' }],
      async ask() {
        await bare(hand, node);
        return observed(await hand.attempt(() => api.getPublicIpByPrivateIp(node.privateIpId)), {
          codes: { notFound: /^call NotAuthorizedOrNotFound/ },
        });
      },
    },
    {
      id: 'tags-with-assignment',
      asks: 'whether one UpdatePublicIp sets tags and assigns',
      known: [{ id: 'both', meaning: 'it does' }],
      async ask() {
        await bare(hand, node);
        await changes.assign(await api.getPublicIp(address.id), node, { hadEphemeral: true });
        const tags = Object.values((await api.getPublicIp(address.id)).value.freeformTags ?? {});
        return { answer: tags.includes(node.privateIpId) ? 'both' : 'other' };
      },
    },
    {
      id: 'list-age',
      asks: 'how long ListPublicIps shows the state before an assignment that is done',
      known: [
        { id: 'present', meaning: 'the first list shows it' },
        { id: 'old', meaning: 'later ones do' },
      ],
      async ask() {
        await stage.attach(address);
        const seconds = await secondsUntil(async () => {
          const listed = await api.listReservedPublicIps(hand.compartment);
          return listed.some(({ id, lifecycleState }) => id === address.id && lifecycleState === 'ASSIGNED');
        });
        const message = `after ${seconds ?? '>60'} s`;
        if (seconds === undefined) return { answer: 'other', message };
        return { answer: seconds < 1 ? 'present' : 'old', message };
      },
    },
    {
      id: 'change-time',
      asks: 'how long public IPs are on their way',
      known: [{ id: 'measured', meaning: 'in seconds, from the call until a read shows the end' }],
      async ask() {
        const [given, taken, made, deleted] = [[], [], [], []] as number[][];
        await bare(hand, node);
        for (let n = 0; n < 3; n++) {
          given?.push(await secondsOf(() => stage.attach(address)));
          taken?.push(await secondsOf(() => free(hand, address)));
          made?.push(await secondsOf(() => changes.createEphemeral(node, {})));
          deleted?.push(await secondsOf(() => bare(hand, node)));
        }
        const shown = { assigned: given, unassigned: taken, 'ephemeral created': made, deleted };
        const message = Object.entries(shown).map(([what, seconds]) => `${what} in ${seconds?.join(', ')}`);
        return { answer: 'measured', message: message.join('; ') };
      },
    },
  ];
}
