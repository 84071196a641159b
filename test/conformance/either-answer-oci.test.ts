/** The provider of Oracle Cloud with each answer that it could give where no document says which. */
import { expect } from '@jest/globals';
import { associatingCases } from '../contract/associating-cases.ts';
import { openOciBackend, type OciBackend } from '../contract/oci-backend.ts';
import { onceStruck } from '../contract/oci-cases.ts';
import { ociEphemeralCases } from '../contract/oci-ephemeral-cases.ts';
import { runProviderContract, type ContractCase } from '../contract/provider-contract.ts';
import { releasingCases } from '../contract/releasing-cases.ts';
import type { OciSwitchPatch } from '../../sandbox/oci/oci-switches.ts';

interface World {
  /** What this Oracle Cloud does, as a sentence. */
  readonly name: string;
  readonly switches: OciSwitchPatch;
  readonly cases?: readonly ContractCase<OciBackend>[];
}

/** Whichever the code, the message names what the policy lacks. */
const permissionCases: readonly ContractCase<OciBackend>[] = [
  {
    name: 'a policy that does not let private IPs have public IPs is named as the reason',
    async run({ provider, emulator, createInstance, createPool, reserve, publicOf }) {
      const pool = createPool();
      const [bare, address] = [await createInstance(), await reserve(pool)];
      emulator.configure({ denied: ['PRIVATE_IP_ASSIGN_PUBLIC_IP'] });
      const refused = {
        kind: 'Denied',
        message: expect.stringContaining('PRIVATE_IP_ASSIGN_PUBLIC_IP'),
      };
      const associated = provider.associate(bare, address).catch((error: unknown) => error);
      const restored = provider.restoreEphemeral(bare, 'ipv4').catch((error: unknown) => error);
      const [association, restoration] = [await associated, await restored];
      emulator.configure({ denied: [] });
      expect(association).toMatchObject(refused);
      expect(restoration).toMatchObject(refused);
      expect(publicOf(bare)).toEqual([]);
    },
  },
  {
    name: 'an instance that ends before the assignment gets no address: NotFound',
    async run({ provider, emulator, createInstance, createPool, reserve, holderOf, terminate }) {
      const [ref, address] = [await createInstance(), await reserve(createPool())];
      emulator.addFaults({ kind: 'hang', action: 'UpdatePublicIp', ms: 100, times: 1 });
      const associated = provider.associate(ref, address).catch((error: unknown) => error);
      await onceStruck(emulator, () => terminate(ref));
      expect(await associated).toMatchObject({ kind: 'NotFound' });
      expect(await holderOf(address)).toBeUndefined();
    },
  },
];

const worlds: readonly World[] = [
  { name: 'as the emulator answers', switches: {}, cases: permissionCases },
  {
    name: "a resource of a request's body is refused with a code of its own",
    switches: { relatedResourceCode: 'RelatedResourceNotAuthorizedOrNotFound' },
    cases: [...associatingCases, ...releasingCases, ...ociEphemeralCases, ...permissionCases],
  },
];

for (const { name, switches, cases = [] } of worlds) {
  const open = async (): Promise<OciBackend> => {
    const backend = await openOciBackend();
    backend.emulator.configure(switches);
    return backend;
  };
  runProviderContract<OciBackend>(`Oracle Cloud where ${name}`, open, cases);
}
