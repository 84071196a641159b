/** The identity of the instance that the worker runs on ("Calling Services from an Instance", Oracle Cloud Infrastructure documentation). */
import type common from 'oci-common';
import { inTime } from '../call-deadline.ts';
import { CloudError } from '../provider.ts';
import { messageOf } from './errors.ts';
import { openSessionSigner, type Session, type Signer } from './session-signer.ts';

/** The SDK has no timeout. Off Oracle's cloud nothing answers the question for the instance's certificate. */
const TIMEOUT_MS = 10_000;

/** URLs, in place of those that an instance finds by itself. */
export interface InstanceServices {
  readonly metadata: string;
  readonly federation: string;
}

/**
 * The SDK's own provider is used for single sessions only. While it renews one, each call begins another renewal, with a new key for all:
 * calls would then be signed with a key that does not match their token.
 *
 * @throws CloudError `Unavailable` if the instance gets no token; Error if there is no such instance
 */
export async function openInstancePrincipal(
  sdk: typeof common,
  services?: InstanceServices,
  now: () => number = Date.now,
): Promise<Signer> {
  const builder = new sdk.InstancePrincipalsAuthenticationDetailsProviderBuilder();
  if (services !== undefined) {
    builder.metadataBaseUrl = services.metadata;
    builder.federationEndpoint = services.federation;
  }
  const provider = await withinTime(builder.build(), 'The instance metadata service');
  const open = async (): Promise<Session> => {
    try {
      const token = await withinTime(provider.refresh(), 'The token service');
      // A renewal makes its key before it asks. So one that was given up, and is answered late, does not change this one.
      return { token: `ST$${token}`, privateKey: provider.getPrivateKey() };
    } catch (cause) {
      throw new CloudError(
        'Unavailable',
        `The instance principal's credentials cannot be had now. Check the way to the token service and the clock (${messageOf(cause)})`,
        { code: 'NO_CREDENTIALS', cause },
      );
    }
  };
  return await openSessionSigner(sdk, open, now);
}

function withinTime<T>(work: Promise<T>, service: string): Promise<T> {
  return inTime(
    work,
    TIMEOUT_MS,
    () => new Error(`${service} did not answer within ${TIMEOUT_MS / 1000} s.`),
  );
}
