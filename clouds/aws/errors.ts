/**
 * Maps whatever the AWS SDK throws to a {@link CloudError}: the kind decides what the rest of the project does,
 * the message says what a person can do, and AWS's own code is kept.
 *
 * Codes: "Error codes for the Amazon EC2 API" and "Request throttling for the Amazon EC2 API", AWS documentation.
 */
import { CloudError, type CloudErrorKind } from '../provider.ts';
import type { AwsAction } from './permissions.ts';

/** What was being done when the error came. */
export interface AwsCallContext {
  readonly action: AwsAction;
  readonly region?: string | undefined;
  readonly endpoint?: string | undefined;
}

/** No answer of AWS about the permissions of anyone: the credentials were not there, or too old. */
const credentialHiccups = [
  'CredentialsProviderError',
  'TokenProviderError',
  'IDPCommunicationError',
  'ExpiredToken',
  'ExpiredTokenException',
];

/** This machine's clock is off, which is mended there, or by the SDK: it takes over AWS's time after such an answer. */
const clockErrors = ['RequestExpired', 'RequestTimeTooSkewed', 'RequestInTheFuture'];

const kinds: Readonly<Record<string, CloudErrorKind>> = {
  ...codes('Throttled', [
    'RequestLimitExceeded',
    'Throttling',
    'ThrottlingException',
    'ThrottledException',
    'RequestThrottled',
    'RequestThrottledException',
    'EC2ThrottledException',
    'TooManyRequestsException',
    'BandwidthLimitExceeded',
    'PriorRequestNotComplete',
    'SlowDown',
  ]),
  ...codes('Denied', [
    'UnauthorizedOperation',
    'OperationNotPermitted',
    'AccessDenied',
    'AccessDeniedException',
    'AuthFailure',
    'Blocked',
    'OptInRequired',
    'PendingVerification',
    'MissingAuthenticationToken',
    'InvalidClientTokenId',
    'UnrecognizedClientException',
    'SignatureDoesNotMatch',
    'IncompleteSignature',
    'InvalidIdentityToken',
  ]),
  ...codes('InUse', ['Resource.AlreadyAssociated', 'InvalidIPAddress.InUse']),
  ...codes('Exhausted', ['InsufficientAddressCapacity', 'InsufficientFreeAddressesInSubnet']),
  ...codes('Invalid', ['FilterLimitExceeded']),
  // States that pass by themselves: the instance is still starting, or another change to it is under way.
  ...codes('Unavailable', [
    'IncorrectInstanceState',
    'IncorrectState',
    'InvalidInstanceID',
    'DependencyViolation',
    // Credentials that cannot be had at this moment: the pod's token or role may be back at the next try.
    ...credentialHiccups,
    ...clockErrors,
    'RequestTimeout',
    'InternalError',
    'InternalFailure',
    'ServiceUnavailable',
    'Unavailable',
  ]),
};

/**
 * @param error anything thrown by a call of the AWS SDK; a CloudError is returned as it is
 * @returns the same error in the project's terms, the original as its cause
 */
export function toCloudError(error: unknown, context: AwsCallContext): CloudError {
  if (error instanceof CloudError) return error;
  const facts = readError(error);
  const kind = kindOf(facts);
  return new CloudError(kind, messageFor(kind, facts, context), {
    code: facts.code,
    retryAfterMs: facts.retryAfterMs,
    cause: error,
  });
}

interface ErrorFacts {
  readonly code: string;
  readonly message: string;
  /** The answer has a code of AWS: it is not one of something in between. */
  readonly isOfAws: boolean;
  /** HTTP status; absent when no answer came. */
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
}

function readError(error: unknown): ErrorFacts {
  const thrown = (typeof error === 'object' && error !== null ? error : {}) as {
    name?: unknown;
    code?: unknown;
    Code?: unknown;
    message?: unknown;
    $metadata?: { httpStatusCode?: number };
    $response?: { statusCode?: number; headers?: Record<string, string> };
  };
  const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
  // An error of the service has its code as its name; one of the network has it as its code.
  const named = text(thrown.name);
  const generic = named === undefined || named === 'Error' || named === 'AggregateError';
  const seconds = Number(thrown.$response?.headers?.['retry-after']);
  return {
    code: (generic ? text(thrown.code) : undefined) ?? text(thrown.Code) ?? named ?? 'Error',
    message: (text(thrown.message) ?? String(error))
      .replace(/\s*Encoded authorization failure message:[\s\S]*/, '')
      .trim(),
    isOfAws: text(thrown.Code) !== undefined,
    status: thrown.$metadata?.httpStatusCode ?? thrown.$response?.statusCode,
    retryAfterMs: seconds > 0 ? seconds * 1000 : undefined,
  };
}

/** STS and others say it under the code of a signature that is wrong, which would read as a wrong key. */
function isOfClock({ code, message }: ErrorFacts): boolean {
  return clockErrors.includes(code) || /^signature (?:expired|not yet current)/i.test(message);
}

function kindOf(facts: ErrorFacts): CloudErrorKind {
  const { code, status, isOfAws } = facts;
  if (isOfClock(facts)) return 'Unavailable';
  const known = kinds[code];
  if (known) return known;
  if (code.endsWith('.NotFound')) return 'NotFound';
  if (code.endsWith('LimitExceeded')) return 'Exhausted';
  if (status === 429) return 'Throttled';
  if (status !== undefined && status >= 400 && status < 500 && isOfAws) return 'Invalid';
  // No answer, an unreadable one (whatever its status: a proxy has its own), or a 5xx: the call may have been applied.
  return 'Unavailable';
}

function messageFor(kind: CloudErrorKind, facts: ErrorFacts, context: AwsCallContext): string {
  const { action, region } = context;
  const detail = `${facts.code}: ${facts.message}`;
  const where = context.endpoint ?? `AWS ${region ?? ''}`.trim();
  switch (kind) {
    case 'Denied':
      return `${action} was refused: ${denialAdvice(facts, context)} (${detail})`;
    case 'Throttled':
      return `${action} was throttled by ${where}: the account's rate limit in this region is used up (${detail})`;
    case 'Exhausted':
      if (facts.code === 'PrivateIpAddressLimitExceeded') {
        return `${action}: the interface has as many addresses as its instance type allows (${detail})`;
      }
      return `${action}: a quota of the AWS account is used up; ask for more under Service Quotas (${detail})`;
    case 'Unavailable':
      if (isOfClock(facts))
        return `${action}: the request's time is off: check this machine's clock (${detail})`;
      if (credentialHiccups.includes(facts.code)) {
        return `${action}: ${credentialAdvice(facts.code)} (${detail})`;
      }
      return facts.status === undefined
        ? `${action}: no answer from ${where}. Check the region, the network and AWS_ENDPOINT_URL (${detail})`
        : `${action}: ${where} failed to serve the call, HTTP ${facts.status} (${detail})`;
    default:
      return `${action}: ${adviceByCode[facts.code] ?? ''}${detail}`;
  }
}

const adviceByCode: Readonly<Record<string, string>> = {
  'Gateway.NotAttached':
    "the node's VPC has no internet gateway, so its nodes cannot have public addresses. ",
};

function credentialAdvice(code: string): string {
  if (code.startsWith('ExpiredToken')) return 'the AWS credentials have expired; get new ones';
  if (code === 'IDPCommunicationError') return 'AWS could not reach the identity provider of the IRSA role';
  return (
    'no AWS credentials were found. On EKS give the pod a role (Pod Identity or an IRSA service account), and look ' +
    'whether the Pod Identity agent and STS can be reached; ' +
    'elsewhere set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY'
  );
}

function denialAdvice({ code, message }: ErrorFacts, { action }: AwsCallContext): string {
  if (code === 'AuthFailure' && /does not belong to you/i.test(message)) {
    return 'it is of another AWS account; the credentials are fine';
  }
  if (/^(AuthFailure|InvalidClientTokenId|UnrecognizedClientException|SignatureDoesNotMatch)$/.test(code)) {
    return 'AWS does not accept the credentials; check AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';
  }
  if (isManagedDenial(code, message)) return managedResourceAdvice;
  if (isOfOidcProvider(code, message)) {
    return "AWS does not accept the pod's token: check that IAM has the cluster's OIDC provider, and the IRSA role's trust policy";
  }
  if (isOfRole(message)) {
    return "the worker may not assume its IAM role: check the role's trust policy, and the role's name at the service account";
  }
  if (code === 'OptInRequired') return 'the AWS account is not activated for EC2 in this region';
  if (code === 'OperationNotPermitted')
    return 'EC2 does not permit it in this state, whatever the permissions are';
  return `the permission "${action}" is missing; add it to the policy of the worker's IAM role`;
}

/** The identity provider that vouches for the pod is what AWS does not know or trust. */
function isOfOidcProvider(code: string, message: string): boolean {
  return code === 'InvalidIdentityToken' || /OpenIDConnect/i.test(message);
}

/** STS refused the role, before the call itself was made. */
function isOfRole(message: string): boolean {
  return /sts:AssumeRole/i.test(message);
}

/** Whether the policy of the identity is what refused: not the credentials, not the role, and not an interface that AWS operates. */
export function lacksPermission(error: CloudError): boolean {
  const { code, message } = readError(error.cause ?? error);
  if (isManagedDenial(code, message) || isOfOidcProvider(code, message) || isOfRole(message)) return false;
  return /^(UnauthorizedOperation|AccessDenied(Exception)?)$/.test(code);
}

/**
 * EC2's denial on a managed interface reads as a missing permission, which would send the reader the wrong way. Which code comes is in
 * no document, so of an instance that an AWS service operates any refusal of the request itself is taken for it.
 */
export function explainDenial(error: unknown, operator: string | undefined): unknown {
  if (!(error instanceof CloudError) || operator === undefined) return error;
  if (error.kind !== 'Denied' && error.kind !== 'Invalid') return error;
  return new CloudError('Denied', `${managedResourceAdvice}. Operator: ${operator}. ${error.message}`, {
    code: error.code,
    cause: error,
  });
}

/** For a network interface that an AWS service operates, as EKS Auto Mode does. */
const managedResourceAdvice =
  "the network interface is operated by an AWS service (EKS Auto Mode denies Elastic IPs on its nodes' interfaces); " +
  'no permission helps, use a managed or self-managed node group, or Karpenter, for these nodes';

function isManagedDenial(code: string, message: string): boolean {
  return (
    /explicit deny in a resource-based policy/i.test(message) ||
    (code === 'OperationNotPermitted' && /managed|operator/i.test(message))
  );
}

function codes(kind: CloudErrorKind, names: readonly string[]): Record<string, CloudErrorKind> {
  return Object.fromEntries(names.map((name) => [name, kind]));
}
