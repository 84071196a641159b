/** How the AWS SDK is set up, and the one way through which every call goes: timed, counted, its errors mapped. */
import type { EC2Client } from '@aws-sdk/client-ec2';
import { isCallDeadline, withCallDeadline } from '../call-deadline.ts';
import { CloudError, type CloudErrorKind } from '../provider.ts';
import { toCloudError } from './errors.ts';
import type { AwsAction } from './permissions.ts';

/** One finished call, for the worker's metrics. */
export interface AwsCallEvent {
  readonly action: AwsAction;
  /** `ok`, or AWS's error code. */
  readonly outcome: string;
  readonly kind?: CloudErrorKind;
  readonly seconds: number;
}

export interface AwsClientOptions {
  readonly region: string;
  /** In place of AWS's own; without it the SDK still honours AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_EC2. */
  readonly endpoint?: string | undefined;
  /** The longest that one call may take. @default 10000 */
  readonly requestTimeoutMs?: number | undefined;
  /** The longest that opening a connection may take. @default 3000 */
  readonly connectTimeoutMs?: number | undefined;
  /** Connections to one host at most. @default 50 */
  readonly maxSockets?: number | undefined;
  /** Told about every finished call. Must not throw. */
  readonly onCall?: ((event: AwsCallEvent) => void) | undefined;
}

const requestTimeoutOf = ({ requestTimeoutMs = 10_000 }: AwsClientOptions): number => requestTimeoutMs;

/** The configuration that the EC2 and STS clients share. */
export function awsClientConfig(options: AwsClientOptions) {
  const requestTimeout = requestTimeoutOf(options);
  const agent = { keepAlive: true, maxSockets: options.maxSockets ?? 50 };
  return {
    region: options.region,
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    // Temporal retries: it knows the attempts and shows them.
    maxAttempts: 1,
    userAgentAppId: 'kubeip-temporal',
    requestHandler: {
      connectionTimeout: options.connectTimeoutMs ?? 3_000,
      requestTimeout,
      throwOnRequestTimeout: true,
      // An answer that begins and then stalls.
      socketTimeout: requestTimeout,
      httpAgent: agent,
      httpsAgent: agent,
    },
  };
}

/**
 * Makes one call. With the credentials for it, it may take 5 seconds more than its limit.
 *
 * @param send gives a change the signal: credentials that come too late send it no more. EC2 would replace what the interface has by then
 * @throws CloudError whatever the SDK throws, mapped
 */
export type AwsCall = <T>(
  action: AwsAction,
  send: (options: { readonly abortSignal: AbortSignal }) => Promise<T>,
) => Promise<T>;

/**
 * @param client whose credentials are looked for anew after a call that has waited for them in vain: the SDK would wait on. Undefined: it
 * is not used again
 */
export function createAwsCall(options: AwsClientOptions, client?: EC2Client): AwsCall {
  return async (action, send) => {
    const begun = performance.now();
    const seconds = () => (performance.now() - begun) / 1000;
    try {
      const answer = await withCallDeadline(action, requestTimeoutOf(options), (abortSignal) =>
        send({ abortSignal }),
      );
      options.onCall?.({ action, outcome: 'ok', seconds: seconds() });
      return answer;
    } catch (error) {
      const mapped: CloudError = toCloudError(error, {
        action,
        region: options.region,
        endpoint: options.endpoint,
      });
      if (client !== undefined && isCallDeadline(mapped)) renewCredentials(client);
      const { kind, code = kind } = mapped;
      options.onCall?.({ action, outcome: code, kind, seconds: seconds() });
      throw mapped;
    }
  };
}

/** Without credentials the client's configuration makes a new chain of their default sources, which remembers nothing of the old one. */
function renewCredentials({ config }: EC2Client): void {
  (config as { credentials?: unknown }).credentials = undefined;
}

/**
 * EC2 always answers a list, an empty one as well. One that is missing came from something in between, such as a proxy
 * that answers 200 with a page of its own: to take it for empty would declare instances and addresses gone.
 *
 * @throws CloudError `Unavailable` if the list is missing
 */
export function present<T>(list: T[] | undefined, action: AwsAction): T[] {
  if (list === undefined) throw halfAnswer(action);
  return list;
}

/** EC2 always says this. What lacks it was lost on the way: nothing is decided on the rest. */
export function halfAnswer(action: AwsAction): CloudError {
  return new CloudError(
    'Unavailable',
    `${action}: the answer is not one of EC2, or not all of it. Is there a proxy in between?`,
  );
}

/** EC2 was asked for one resource by its id, and neither shows it nor says that it does not exist. */
export function cannotBeSeen(action: AwsAction, what: string): CloudError {
  return new CloudError(
    'Unavailable',
    `${what} cannot be seen: ${action} answered with an empty list, where EC2 shows it or says NotFound. Nothing is concluded from that.`,
  );
}
