/** What the AWS provider promises of IPv6: pools are reserved ranges of subnets, an interface may have several addresses. */
import { randomUUID } from 'node:crypto';
import { expect } from '@jest/globals';
import { awsIpv6Permissions } from '../../clouds/aws/permissions.ts';
import type { Address, AddressRef } from '../../model/address.ts';
import { associatingCases } from './associating-cases.ts';
import { publicIpsOf } from './cloud-backend.ts';
import { callsDuring } from './ec2-connection.ts';
import { poolOf, type Ec2Ipv6Backend } from './ec2-ipv6-backend.ts';
import type { ContractCase } from './provider-contract.ts';
import { readingCases } from './reading-cases.ts';
import { releasingCases } from './releasing-cases.ts';

/**
 * An interface may have several IPv6 addresses, so none gives way to another, displaces one or is in its way; and an
 * address is not a thing that is allocated, so it cannot be missing.
 */
const ofSoleAddresses =
  /gives way to one of the pool|ForeignAddress|that another one displaced|that does not exist is NotFound/;

/** The cases of all clouds that are of sense here. */
export const sharedIpv6Cases: readonly ContractCase[] = [
  ...readingCases,
  ...associatingCases,
  ...releasingCases,
].filter(({ name }) => !ofSoleAddresses.test(name));

const refTo = (ip: string): AddressRef => ({ id: ip, ip });
const ipsOf = (addresses: readonly Address[]) => addresses.map(({ ip }) => ip);

/** What needs no look at who has a single address. */
export const awsIpv6ListCases: readonly ContractCase<Ec2Ipv6Backend>[] = [
  {
    name: 'a small range is listed in full, in ascending order, free and associated',
    async run({ provider, createInstance, reserveRange, subnet, attachByHand }) {
      const name = randomUUID();
      await reserveRange('1a0/124', { tags: { pool: name } });
      const ref = await createInstance();
      await attachByHand(refTo(`${subnet.base}1a9`), ref);
      const listed = await provider.listAddresses(poolOf(name, subnet));
      expect(ipsOf(listed)).toEqual(
        Array.from({ length: 16 }, (_, index) => `${subnet.base}1a${index.toString(16)}`),
      );
      const { networkInterfaceId } = await provider.findInstance(ref);
      expect(listed.filter(({ association }) => association)).toEqual([
        {
          ...refTo(`${subnet.base}1a9`),
          family: 'ipv6',
          association: expect.objectContaining({ networkInterfaceId }),
        },
      ]);
    },
  },
  {
    name: 'of a large range, all that are associated are listed, and as many free ones as are wanted',
    async run({ provider, createInstance, reserveRange, subnet, attachByHand }) {
      const name = randomUUID();
      await reserveRange('b0:0/112', { tags: { pool: name } });
      const ips = ['b0:1', 'b0:707'].map((suffix) => subnet.base + suffix);
      const ref = await createInstance();
      for (const ip of ips) await attachByHand(refTo(ip), ref);
      const listed = await provider.listAddresses(poolOf(name, subnet), { wantFree: 3 });
      const free = ['b0:0', 'b0:2', 'b0:3'].map((suffix) => subnet.base + suffix);
      expect(ipsOf(listed)).toEqual([free[0], ips[0], free[1], free[2], ips[1]]);
      expect(ipsOf(listed.filter(({ association }) => !association))).toEqual(free);
      expect(await provider.listAddresses(poolOf(name, subnet))).toHaveLength(1002);
    },
  },
  {
    name: 'the five addresses that EC2 keeps of each subnet are not of the pool',
    async run({ provider, reserveRange, subnet }) {
      const name = randomUUID();
      await reserveRange('/125', { tags: { pool: name } });
      const pool = poolOf(name, subnet);
      const ips = ['4', '5', '6', '7'].map((suffix) => subnet.base + suffix);
      expect(ipsOf(await provider.listAddresses(pool))).toEqual(ips);
    },
  },
  {
    name: 'a reservation for prefixes is of no pool, nor is one that lacks one of two tags',
    async run({ provider, reserveRange, subnet }) {
      const [name, marked] = [randomUUID(), randomUUID()];
      const tags = { pool: name };
      await reserveRange('c:1:0/112', { tags: { ...tags, [marked]: '' }, type: 'prefix' });
      await reserveRange('1c0/127', { tags });
      await reserveRange('1d0/127', { tags: { ...tags, [marked]: '' } });
      const both = `Name=tag-key,Values=pool;Name=tag-key,Values=${marked}`;
      const listed = await provider.listAddresses({ ...poolOf(name, subnet), filter: both });
      expect(ipsOf(listed)).toEqual([`${subnet.base}1d0`, `${subnet.base}1d1`]);
    },
  },
  {
    name: "a node's query has its own subnet's part of the pool, a query without a subnet all",
    async run({ provider, reserveRange, subnet, otherSubnet }) {
      const name = randomUUID();
      await reserveRange('1e0/128', { tags: { pool: name } });
      await reserveRange('1e0/128', { tags: { pool: name }, in: otherSubnet });
      const [here, there] = [`${subnet.base}1e0`, `${otherSubnet.base}1e0`];
      const { subnet: _none, ...whole } = poolOf(name, subnet);
      expect(ipsOf(await provider.listAddresses(poolOf(name, subnet)))).toEqual([here]);
      expect(ipsOf(await provider.listAddresses(poolOf(name, otherSubnet)))).toEqual([there]);
      expect(ipsOf(await provider.listAddresses(whole)).toSorted()).toEqual([here, there].toSorted());
    },
  },
  {
    name: 'a pool that has nothing in the subnet, or whose subnet is gone, is an empty list',
    async run({ provider, reserveRange, subnet, otherSubnet }) {
      const name = randomUUID();
      await reserveRange('1f0/128', { tags: { pool: name }, in: otherSubnet });
      expect(await provider.listAddresses(poolOf(name, subnet))).toEqual([]);
      const gone = { ...poolOf(name, subnet), subnet: 'subnet-0fffffffffffffff0' };
      expect(await provider.listAddresses(gone)).toEqual([]);
    },
  },
  {
    name: 'an IPv6 address that EC2 assigned by itself is an additional one',
    async run({ provider, createInstance }) {
      const ref = await createInstance({ autoAssignedIp: true });
      expect(publicIpsOf(await provider.findInstance(ref), 'ipv6')).toEqual([
        { ip: expect.stringMatching(/^[0-9a-f:]+$/), kind: 'additional' },
      ]);
    },
  },
];

export const awsIpv6Cases: readonly ContractCase<Ec2Ipv6Backend>[] = [
  ...awsIpv6ListCases,
  {
    name: "an address of another subnet is Invalid, and the message says which is the instance's",
    async run({ provider, createInstance, subnet, otherSubnet, reserveRange, holderOf }) {
      const name = randomUUID();
      await reserveRange('2a0/128', { tags: { pool: name }, in: otherSubnet });
      const [address] = await provider.listAddresses(poolOf(name, otherSubnet));
      await expect(provider.associate(await createInstance(), address!)).rejects.toMatchObject({
        kind: 'Invalid',
        message: expect.stringContaining(`not of subnet ${subnet.id}`),
      });
      expect(await holderOf(address!)).toBeUndefined();
      const there = await createInstance({ subnet: otherSubnet.id });
      expect((await provider.associate(there, address!)).instanceId).toBe(there.id);
    },
  },
  {
    name: 'an address that EC2 assigned by itself stays beside one of the pool, and after it',
    async run({ provider, createInstance, createPool, reserve }) {
      const ref = await createInstance({ autoAssignedIp: true });
      const before = publicIpsOf(await provider.findInstance(ref), 'ipv6');
      const pool = createPool();
      const address = await reserve(pool);
      await provider.associate(ref, address);
      expect(publicIpsOf(await provider.findInstance(ref), 'ipv6')).toEqual([
        ...before,
        { ip: address.ip, kind: 'additional' },
      ]);
      expect(await provider.release(ref, address, pool)).toBe('released');
      expect(publicIpsOf(await provider.findInstance(ref), 'ipv6')).toEqual(before);
    },
  },
  {
    name: 'of two instances that race for one address, one gets it and the other is told who has it',
    async run({ provider, openProvider, createInstance, createPool, reserve, holderOf }) {
      const refs = [await createInstance(), await createInstance()];
      const address = await reserve(createPool());
      const providers = [provider, openProvider()];
      const ends = await Promise.allSettled(
        refs.map((ref, index) => providers[index]!.associate(ref, address)),
      );
      const winner = ends.findIndex(({ status }) => status === 'fulfilled');
      expect(ends[1 - winner]).toMatchObject({
        reason: { kind: 'InUse', message: `${address.ip} is held by ${refs[winner]!.id}.` },
      });
      expect(await holderOf(address)).toBe((await provider.findInstance(refs[winner]!)).networkInterfaceId);
    },
  },
  {
    name: 'an address however written is the same address',
    async run({ provider, createInstance, reserveRange, subnet, holderOf }) {
      const name = randomUUID();
      await reserveRange('2b:0/124', { tags: { pool: name } });
      const pool = poolOf(name, subnet);
      const [ref, ip] = [await createInstance(), `${subnet.base}2b:a`];
      const written = refTo(`${subnet.base.toUpperCase()}002B:000A`);
      const association = await provider.associate(ref, written);
      expect(await provider.readAddress(pool, written.id)).toEqual({
        ...refTo(ip),
        family: 'ipv6',
        association,
      });
      expect(await provider.release(ref, written, pool)).toBe('released');
      expect(await holderOf(refTo(ip))).toBeUndefined();
    },
  },
  {
    name: 'an address that EC2 keeps of the subnet is read as none of the pool',
    async run({ provider, reserveRange, subnet }) {
      const name = randomUUID();
      await reserveRange('8/125', { tags: { pool: name } });
      const end = subnet.base.replace(/::$/, ':ffff:ffff:ffff:');
      await reserveRange('fff8/125', { tags: { pool: name }, in: { ...subnet, base: end } });
      const pool = poolOf(name, subnet);
      expect(await provider.readAddress(pool, `${end}ffff`)).toBeUndefined();
      expect(await provider.readAddress(pool, `${end}fffe`)).toMatchObject({ ip: `${end}fffe` });
      expect(await provider.readAddress(pool, `${subnet.base}8`)).toMatchObject({ ip: `${subnet.base}8` });
    },
  },
  {
    name: 'read-backs at the same time share their requests',
    async run(backend) {
      const { subnet, reserveRange } = backend;
      const name = randomUUID();
      await reserveRange('2c0/124', { tags: { pool: name } });
      const pool = poolOf(name, subnet);
      const provider = backend.openProvider({ batchWindowMs: 50 });
      const ips = Array.from({ length: 16 }, (_, index) => `${subnet.base}2c${index.toString(16)}`);
      const [found, calls] = await callsDuring(backend, () =>
        Promise.all(ips.map((ip) => provider.readAddress(pool, ip))),
      );
      expect(found.map((address) => address?.ip)).toEqual(ips);
      expect(calls.toSorted()).toEqual([
        // By the addresses; then, as nobody has them, by the subnet.
        'ec2:DescribeNetworkInterfaces',
        'ec2:DescribeNetworkInterfaces',
        'ec2:DescribeSubnets',
        'ec2:GetSubnetCidrReservations',
      ]);
    },
  },
  {
    name: 'IPv6 pools need their own permissions and that of finding an instance',
    async run(backend) {
      const { provider, createInstance, createPool, reserve } = backend;
      const pool = createPool();
      const [ref, address] = [await createInstance(), await reserve(pool)];
      const [, calls] = await callsDuring(backend, async () => {
        await provider.listAddresses(pool);
        await provider.associate(ref, address);
        await provider.readAddress(pool, address.id);
        await provider.release(ref, address, pool);
      });
      expect(new Set(calls)).toEqual(new Set(['ec2:DescribeInstances', ...Object.keys(awsIpv6Permissions)]));
    },
  },
];
