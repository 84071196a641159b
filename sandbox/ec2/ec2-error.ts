/** EC2's errors, by the codes of "Error codes for the Amazon EC2 API" (Amazon EC2 Developer Guide). */

/** An error as EC2 answers it. */
export class Ec2Error extends Error {
  override readonly name = 'Ec2Error';
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = statusOf(code)) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

const statusByCode = new Map([
  ['AuthFailure', 401],
  ['MissingAuthenticationToken', 403],
  ['UnauthorizedOperation', 403],
  ['AccessDenied', 403],
  ['DryRunOperation', 412],
  ['RequestLimitExceeded', 503],
  ['Throttling', 400],
  ['ServiceUnavailable', 503],
  ['Unavailable', 503],
  ['InternalError', 500],
  ['InternalFailure', 500],
]);

/** @returns the HTTP status that EC2 sends with a code */
export function statusOf(code: string): number {
  return statusByCode.get(code) ?? 400;
}

export function missingParameter(name: string): Ec2Error {
  return new Ec2Error('MissingParameter', `The request must contain the parameter ${name}`);
}

export function invalidValue(name: string, value: string, why: string): Ec2Error {
  return new Ec2Error(
    'InvalidParameterValue',
    `Value (${value}) for parameter ${name} is invalid. ${why}`.trim(),
  );
}

/** What EC2 says to a caller without permission. The real message is encrypted; this one is only encoded. */
export function unauthorized(service: string, action: string, accountId: string): Ec2Error {
  const user = `arn:aws:iam::${accountId}:user/sandbox`;
  const encoded = Buffer.from(JSON.stringify({ allowed: false, action: `${service}:${action}` })).toString(
    'base64url',
  );
  return new Ec2Error(
    service === 'ec2' ? 'UnauthorizedOperation' : 'AccessDenied',
    `You are not authorized to perform this operation. User: ${user} is not authorized to perform: ` +
      `${service}:${action} because no identity-based policy allows the ${service}:${action} action. ` +
      `Encoded authorization failure message: ${encoded}`,
  );
}
