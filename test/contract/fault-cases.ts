/** A cloud that fails: for backends that can be told to. */
import { expect } from '@jest/globals';
import type { FaultyCloudBackend } from './cloud-backend.ts';
import type { ContractCase } from './provider-contract.ts';

const kinds = { throttled: 'Throttled', denied: 'Denied', unavailable: 'Unavailable' } as const;
const failures = ['throttled', 'denied', 'unavailable'] as const;

export const faultCases: readonly ContractCase<FaultyCloudBackend>[] = [
  {
    name: 'an association whose answer was lost is Unavailable, and the next call finds it made',
    async run(backend) {
      const { provider, createInstance, createPool, reserve, holderOf } = backend;
      const [ref, address] = [await createInstance(), await reserve(createPool())];
      backend.loseNextAnswer('associate');
      await expect(provider.associate(ref, address)).rejects.toMatchObject({ kind: 'Unavailable' });
      const applied = await holderOf(address);
      expect(applied).toBeDefined();
      expect((await provider.associate(ref, address)).networkInterfaceId).toBe(applied);
    },
  },
  {
    name: 'a release whose answer was lost is Unavailable, and the next call finds the address free',
    async run(backend) {
      const { provider, createInstance, createPool, reserve, holderOf } = backend;
      const pool = createPool();
      const [ref, address] = [await createInstance(), await reserve(pool)];
      await provider.associate(ref, address);
      backend.loseNextAnswer('release');
      await expect(provider.release(ref, address, pool)).rejects.toMatchObject({ kind: 'Unavailable' });
      expect(await holderOf(address)).toBeUndefined();
      expect(await provider.release(ref, address, pool)).toBe('alreadyFree');
    },
  },
  ...failures.map((how): ContractCase<FaultyCloudBackend> => ({
    name: `an association that is ${how} is ${kinds[how]}, changes nothing, and succeeds when called again`,
    async run(backend) {
      const { provider, createInstance, createPool, reserve, holderOf } = backend;
      const [ref, address] = [await createInstance(), await reserve(createPool())];
      backend.failNext('associate', how);
      await expect(provider.associate(ref, address)).rejects.toMatchObject({ kind: kinds[how] });
      expect(await holderOf(address)).toBeUndefined();
      const { networkInterfaceId } = await provider.associate(ref, address);
      expect(await holderOf(address)).toBe(networkInterfaceId);
    },
  })),
  ...failures.map((how): ContractCase<FaultyCloudBackend> => ({
    name: `a release that is ${how} is ${kinds[how]}, changes nothing, and succeeds when called again`,
    async run(backend) {
      const { provider, createInstance, createPool, reserve, holderOf } = backend;
      const pool = createPool();
      const [ref, address] = [await createInstance(), await reserve(pool)];
      const { networkInterfaceId } = await provider.associate(ref, address);
      backend.failNext('release', how);
      await expect(provider.release(ref, address, pool)).rejects.toMatchObject({ kind: kinds[how] });
      expect(await holderOf(address)).toBe(networkInterfaceId);
      expect(await provider.release(ref, address, pool)).toBe('released');
    },
  })),
];
