/** The way to Oracle Cloud for what only the smoke test does. What the provider does as well is done by its parts. */
import { createOciApi, type OciApi } from '../../clouds/oci/api.ts';
import {
  createOciCall,
  type OciAnswer,
  type OciClientOptions,
  type OciRequest,
} from '../../clouds/oci/client.ts';
import { createHolderReader } from '../../clouds/oci/holders.ts';
import { createInstanceReader, type InstanceReader } from '../../clouds/oci/instances.ts';
import type { OciAction } from '../../clouds/oci/permissions.ts';
import { createPublicIpChanges, type PublicIpChanges } from '../../clouds/oci/public-ip-changes.ts';
import { createPublicIpReader, type PublicIpReader } from '../../clouds/oci/public-ips.ts';
import { isNotFound } from '../../clouds/present-state.ts';
import { CloudError } from '../../clouds/provider.ts';
import type { Attempt } from '../question.ts';

/** What a person needs for it who runs the smoke test, besides the permissions of the worker ("Details for the Core Services"). */
const permissions = {
  LaunchInstance: ['INSTANCE_CREATE', 'INSTANCE_IMAGE_READ', 'VNIC_CREATE', 'VNIC_ATTACH', 'SUBNET_ATTACH'],
  TerminateInstance: ['INSTANCE_DELETE', 'VNIC_DELETE', 'SUBNET_DETACH'],
  ListInstances: ['INSTANCE_READ'],
  ListImages: ['INSTANCE_IMAGE_READ'],
  CreatePublicIp: ['PUBLIC_IP_CREATE', 'PUBLIC_IP_ASSIGN_PRIVATE_IP', 'PRIVATE_IP_ASSIGN_PUBLIC_IP'],
  DeletePublicIp: ['PUBLIC_IP_DELETE', 'PUBLIC_IP_UNASSIGN_PRIVATE_IP', 'PRIVATE_IP_UNASSIGN_PUBLIC_IP'],
} as const;

export type HandAction = keyof typeof permissions;

export interface OciHand {
  readonly compartment: string;
  readonly api: OciApi;
  readonly publicIps: PublicIpReader;
  readonly instances: InstanceReader;
  readonly changes: PublicIpChanges;
  /**
   * Makes a call about what is there.
   *
   * @throws CloudError `Denied` where Oracle Cloud says that it is not there: it says the same of a missing permission
   */
  call(request: Omit<OciRequest, 'action'> & { readonly action: HandAction }): Promise<OciAnswer>;
  /** @returns how it ended, with Oracle Cloud's own code */
  attempt(work: () => Promise<unknown>): Promise<Attempt>;
}

/** A change takes seconds. */
const SETTLE_MS = 60_000;
const POLL_MS = 250;

export function ociHand(options: OciClientOptions): OciHand {
  const { compartment } = options;
  const send = createOciCall({ ...options, requestTimeoutMs: 30_000 });
  const api = createOciApi(send);
  const holders = createHolderReader(api, compartment);
  const publicIps = createPublicIpReader(api, holders, compartment, 0);
  return {
    compartment,
    api,
    publicIps,
    instances: createInstanceReader(api, holders, 0),
    changes: createPublicIpChanges(api, publicIps, { settleTimeoutMs: SETTLE_MS, pollMs: POLL_MS }),
    async call({ action, ...request }) {
      try {
        return await send({ ...request, action: action as OciAction });
      } catch (error) {
        if (!isNotFound(error)) throw error;
        throw new CloudError(
          'Denied',
          `${action} was refused: the policy lacks one of ${permissions[action].join(', ')}, or what is named is not there (${error.message})`,
          { code: error.code, cause: error },
        );
      }
    },
    async attempt(work) {
      try {
        return { ok: true, value: await work() };
      } catch (error) {
        if (!(error instanceof CloudError)) throw error;
        return { ok: false, code: error.code ?? 'unknown', message: error.message, at: 'call' };
      }
    },
  };
}
