/**
 * Signs requests with a session: a token, and the private key that the token is bound to. Workload identity and instance principals each
 * open sessions in their own way; the renewal is the same.
 */
import type common from 'oci-common';
import type { DefaultRequestSigner } from 'oci-common';
import { CloudError } from '../provider.ts';

/** Adds the signature to a request's headers. */
export type Signer = Pick<DefaultRequestSigner, 'signHttpRequest'>;

export interface Session {
  /** With its prefix, `ST$`. */
  readonly token: string;
  /** PEM. */
  readonly privateKey: string;
}

/** A session is renewed so long before it ends. */
const RENEWAL_MARGIN_MS = 5 * 60_000;
/** Between two renewals, if the first fails and the session has not ended. */
const RENEWAL_PAUSE_MS = 30_000;

/** One value, so that a token is never sent with a signature of another session's key. */
interface SigningSession {
  readonly signer: Signer;
  /** Milliseconds since the epoch. */
  readonly endsAt: number;
}

/**
 * Opens a session, and renews it before it ends. Calls that come during a renewal wait for it. If it fails, they are signed with the
 * old session for as long as that holds.
 *
 * @param open called for one session at a time
 * @throws whatever `open` throws; the signer too, once the old session has ended
 */
export async function openSessionSigner(
  sdk: typeof common,
  open: () => Promise<Session>,
  now: () => number = Date.now,
): Promise<Signer> {
  const openSigning = async (): Promise<SigningSession> => {
    const session = await open();
    return { signer: new sdk.DefaultRequestSigner(detailsOf(session)), endsAt: endOf(session.token) };
  };
  let session = await openSigning();
  let renewAt = renewalTime(session.endsAt, now());
  const renew = async (): Promise<void> => {
    try {
      session = await openSigning();
      renewAt = renewalTime(session.endsAt, now());
    } catch (error) {
      if (now() >= session.endsAt) throw error;
      renewAt = Math.min(now() + RENEWAL_PAUSE_MS, session.endsAt);
    }
  };
  let renewing: Promise<void> | undefined;
  return {
    async signHttpRequest(request, excludeBody) {
      if (now() >= renewAt) {
        renewing ??= renew().finally(() => {
          renewing = undefined;
        });
        await renewing;
      }
      await session.signer.signHttpRequest(request, excludeBody);
    },
  };
}

/** A session that is shorter than two margins is renewed after half of its time. */
function renewalTime(endsAt: number, now: number): number {
  return Math.max(endsAt - RENEWAL_MARGIN_MS, now + (endsAt - now) / 2);
}

function detailsOf({ token, privateKey }: Session): common.AuthenticationDetailsProvider {
  return { getKeyId: async () => token, getPrivateKey: () => privateKey, getPassphrase: () => null };
}

/** @returns milliseconds since the epoch. @throws CloudError `Unavailable` if it is no token */
function endOf(token: string): number {
  try {
    const [, claims = ''] = token.split('.');
    const { exp } = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')) as { exp?: unknown };
    if (typeof exp === 'number') return exp * 1000;
  } catch {
    // Reported below.
  }
  throw new CloudError('Unavailable', 'The session token of Oracle Cloud does not say when it ends.', {
    code: 'NO_CREDENTIALS',
  });
}
