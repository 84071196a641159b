/** Turns a Query request into a call of the emulator: EC2's actions, and STS's GetCallerIdentity. */
import { randomUUID } from 'node:crypto';
import type { CloudAnswer, CloudCall, Rejection } from '../cloud/call-pipeline.ts';
import type { HttpRequest } from '../cloud/http-server.ts';
import type { Ec2Account } from './account.ts';
import type { Ec2Action } from './actions/action.ts';
import { addressActions } from './actions/address-actions.ts';
import { cidrReservationActions } from './actions/cidr-reservation-actions.ts';
import { instanceActions } from './actions/instance-actions.ts';
import { ipv6Actions } from './actions/ipv6-actions.ts';
import { networkInterfaceActions } from './actions/network-interface-actions.ts';
import { subnetActions } from './actions/subnet-actions.ts';
import { tagActions } from './actions/tag-actions.ts';
import { Ec2Error, unauthorized } from './ec2-error.ts';
import { advanceInstances } from './instances.ts';
import { checkParameterNames, Parameters } from './parameters.ts';
import { unfilteredKey } from './published-limits.ts';
import { readCredentialScope, readQuery, type CredentialScope } from './query-request.ts';
import { ec2Answer, ec2ErrorAnswer, stsAnswer, stsErrorAnswer, type XmlNode } from './query-xml.ts';

const EC2_VERSION = '2016-11-15';
const STS_VERSION = '2011-06-15';

/** The actions of EC2 that the emulator has, by name. */
export const ec2Actions: Readonly<Record<string, Ec2Action>> = {
  ...addressActions,
  ...cidrReservationActions,
  ...instanceActions,
  ...ipv6Actions,
  ...networkInterfaceActions,
  ...subnetActions,
  ...tagActions,
};

/** How a service writes its answers. */
interface Dialect {
  readonly service: 'ec2' | 'sts';
  readonly answer: (action: string, requestId: string, content: XmlNode) => string;
  readonly errorAnswer: (code: string, message: string, requestId: string) => string;
}

const ec2Dialect: Dialect = { service: 'ec2', answer: ec2Answer, errorAnswer: ec2ErrorAnswer };
const stsDialect: Dialect = { service: 'sts', answer: stsAnswer, errorAnswer: stsErrorAnswer };

/** @returns the call, or the answer at once to a request that is no call: unsigned, or of an unknown action */
export function readCall(account: Ec2Account, request: HttpRequest): CloudCall | CloudAnswer {
  const values = readQuery(request);
  const dialect = values.get('Version') === STS_VERSION ? stsDialect : ec2Dialect;
  const action = values.get('Action') ?? '';
  try {
    const scope = readCredentialScope(request);
    return scope.service === 'sts'
      ? identityCall(account, scope, values)
      : ec2Call(account, scope, action, values);
  } catch (error) {
    return errorAnswer(dialect, error);
  }
}

export function isCall(read: CloudCall | CloudAnswer): read is CloudCall {
  return 'apply' in read;
}

function ec2Call(
  account: Ec2Account,
  scope: CredentialScope,
  name: string,
  values: ReadonlyMap<string, string>,
): CloudCall {
  checkActionAndVersion(name, values.get('Version'), EC2_VERSION, 'AmazonEC2');
  const action = Object.hasOwn(ec2Actions, name) ? ec2Actions[name] : undefined;
  if (action === undefined) throw invalidAction(name);
  const region = account.region(scope.region);
  const parameters = new Parameters(values);
  const unfiltered = action.unfiltered?.(parameters) === true;
  return {
    action: name,
    limitKeys: unfiltered ? [unfilteredKey(name), name] : [name],
    scope: scope.region,
    parameters: values,
    mutating: action.mutating && values.get('DryRun') !== 'true',
    apply: () =>
      answerWith(ec2Dialect, name, () => {
        advanceInstances(account, region);
        const common = action.dryRun === false ? [] : ['DryRun'];
        checkParameterNames(values, ['Action', 'Version', ...common, ...action.parameters]);
        if (parameters.boolean('DryRun') === true) {
          throw new Ec2Error('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.');
        }
        return action.run({ account, region, parameters });
      }),
    reject: (rejection) => errorAnswer(ec2Dialect, rejectionError(account, 'ec2', name, rejection)),
  };
}

function identityCall(
  account: Ec2Account,
  scope: CredentialScope,
  values: ReadonlyMap<string, string>,
): CloudCall {
  const name = values.get('Action') ?? '';
  checkActionAndVersion(name, values.get('Version'), STS_VERSION, 'AWSSecurityTokenService');
  if (name !== 'GetCallerIdentity') throw invalidAction(name);
  return {
    action: name,
    limitKeys: [name],
    scope: scope.region,
    parameters: values,
    mutating: false,
    apply: () =>
      answerWith(stsDialect, name, () => ({
        Arn: `arn:aws:iam::${account.accountId}:user/sandbox`,
        UserId: 'AIDASANDBOXSANDBOXSBX',
        Account: account.accountId,
      })),
    reject: (rejection) => errorAnswer(stsDialect, rejectionError(account, 'sts', name, rejection)),
  };
}

function checkActionAndVersion(
  action: string,
  version: string | undefined,
  expected: string,
  service: string,
): void {
  if (action === '') {
    throw new Ec2Error('MissingAction', 'The request is missing an action or a required parameter.');
  }
  if (version === expected) return;
  throw new Ec2Error(
    'NoSuchVersion',
    `The requested version (${version ?? 'none'}) of service ${service} does not exist`,
  );
}

function invalidAction(name: string): Ec2Error {
  return new Ec2Error('InvalidAction', `The action ${name} is not valid for this web service.`);
}

function rejectionError(
  account: Ec2Account,
  service: string,
  action: string,
  rejection: Rejection,
): Ec2Error {
  switch (rejection.kind) {
    case 'denied':
      return unauthorized(service, action, account.accountId);
    case 'throttled':
      return service === 'ec2'
        ? new Ec2Error('RequestLimitExceeded', 'Request limit exceeded.')
        : new Ec2Error('Throttling', 'Rate exceeded');
    case 'fault': {
      const { code, message, status } = rejection;
      return new Ec2Error(code, message ?? `The sandbox was told to answer ${code}.`, status);
    }
  }
}

function answerWith(dialect: Dialect, action: string, run: () => XmlNode): CloudAnswer {
  try {
    return xml(200, dialect.answer(action, randomUUID(), run()), 'ok');
  } catch (error) {
    return errorAnswer(dialect, error);
  }
}

/** Anything but an Ec2Error is a mistake of the emulator: it shows as EC2's InternalError, with the reason. */
function errorAnswer(dialect: Dialect, error: unknown): CloudAnswer {
  const known =
    error instanceof Ec2Error
      ? error
      : new Ec2Error('InternalError', `The emulator failed: ${String(error)}`);
  return xml(known.status, dialect.errorAnswer(known.code, known.message, randomUUID()), known.code);
}

function xml(status: number, body: string, outcome: string): CloudAnswer {
  return { status, contentType: 'text/xml;charset=UTF-8', body, outcome };
}
