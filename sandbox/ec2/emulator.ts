/**
 * The EC2 emulator: EC2's Query protocol and STS's GetCallerIdentity over HTTP for unmodified AWS clients, and switches
 * that make it slow, limited, forgetful or faulty. State is in memory, by region.
 */
import { AssociationJournal, type AssociationEvent } from '../cloud/association-journal.ts';
import { CallLog } from '../cloud/call-log.ts';
import { CallPipeline } from '../cloud/call-pipeline.ts';
import { systemClock, type Clock } from '../cloud/clock.ts';
import { answerControl, isControlRequest } from '../cloud/control-api.ts';
import { type ControlParts, type EmulatorControls, emulatorControls } from '../cloud/emulator-controls.ts';
import { FaultPlan, type Fault } from '../cloud/faults.ts';
import { startHttpServer, type HttpAnswer, type HttpRequest, type OnExchange } from '../cloud/http-server.ts';
import { RateLimiter } from '../cloud/rate-limits.ts';
import type { LimitsSetting } from '../cloud/switches.ts';
import { Ec2Account } from './account.ts';
import { controlEndpoints } from './control-endpoints.ts';
import { ec2SwitchesOff, switchPatchSchema, type Ec2Switches, type SwitchPatch } from './ec2-switches.ts';
import { advanceInstances } from './instances.ts';
import { Ipv6Owner } from './ipv6-owner.ts';
import { AccountOwner } from './owner.ts';
import { publishedLimits } from './published-limits.ts';
import { isCall, readCall } from './query-service.ts';

export interface Ec2EmulatorOptions {
  /** Default: any free port. */
  readonly port?: number;
  /** @default 127.0.0.1 */
  readonly host?: string;
  /** @default 123456789012 */
  readonly accountId?: string;
  /** The region of the helpers that name none. Clients name theirs by their signature. @default eu-west-1 */
  readonly region?: string;
  readonly latencyMs?: number;
  readonly jitterMs?: number;
  /** @default off */
  readonly limits?: LimitsSetting;
  readonly staleListsMs?: number;
  /** null: no quota. @default null */
  readonly addressQuota?: number | null;
  readonly clock?: Clock;
  /** For jitter and the probability of faults; from 0 to below 1. */
  readonly random?: () => number;
  /** Told about each request that is answered, and its answer. */
  readonly onExchange?: OnExchange;
}

export interface Ec2Emulator
  extends
    Pick<
      AccountOwner,
      | 'runInstance'
      | 'terminateInstance'
      | 'allocateAddress'
      | 'releaseAddress'
      | 'associateByHand'
      | 'disassociateByHand'
      | 'addresses'
      | 'instances'
    >,
    Pick<
      Ipv6Owner,
      'reserveIpv6' | 'assignIpv6ByHand' | 'unassignIpv6ByHand' | 'ipv6Addresses' | 'ipv6Reservations'
    >,
    EmulatorControls<Ec2Switches, SwitchPatch, Fault> {
  readonly url: string;
  readonly accountId: string;
  readonly region: string;
  /** What an AWS client needs in its environment to talk to the emulator. */
  readonly environment: Readonly<Record<string, string>>;
  /** Who held which address when, from the beginning. */
  journal(): readonly AssociationEvent[];
  /** Cuts all connections and frees the port. */
  close(): Promise<void>;
}

/** Starts an emulator of its own; several may run side by side. */
export async function startEc2Emulator(options: Ec2EmulatorOptions = {}): Promise<Ec2Emulator> {
  const { accountId = '123456789012', region = 'eu-west-1', clock = systemClock } = options;
  const random = options.random ?? Math.random;
  const { latencyMs, jitterMs, staleListsMs, addressQuota, limits } = options;
  const account = new Ec2Account(accountId, clock, new AssociationJournal(), ec2SwitchesOff);
  const log = new CallLog();
  const faults = new FaultPlan(random);
  const limiter = new RateLimiter();
  const core = buildCore(account, region, { log, faults, limiter });
  core.configure({ latencyMs, jitterMs, staleListsMs, addressQuota, limits });
  account.region(region);

  const pipeline = new CallPipeline({
    clock,
    random,
    faults,
    limiter,
    log,
    switches: () => account.switches,
  });
  const endpoints = controlEndpoints({ ...core, accountId, region });
  const handle = async (request: HttpRequest): Promise<HttpAnswer | undefined> => {
    if (isControlRequest(request)) return answerControl(endpoints, request);
    const read = readCall(account, request);
    if (isCall(read)) return pipeline.run(read);
    log.recordUnreadable(read.outcome);
    return read;
  };
  const server = await startHttpServer({
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 0,
    handle,
    onExchange: options.onExchange,
  });
  const environment = {
    AWS_ENDPOINT_URL: server.url,
    AWS_ACCESS_KEY_ID: 'sandbox',
    AWS_SECRET_ACCESS_KEY: 'sandbox',
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
  };
  return { ...core, url: server.url, accountId, region, environment, close: () => server.close() };
}

/** Everything but the server: what the helpers in the process and the control endpoints share. */
export type EmulatorCore = Omit<Ec2Emulator, 'url' | 'accountId' | 'region' | 'environment' | 'close'>;

function buildCore(account: Ec2Account, region: string, parts: ControlParts): EmulatorCore {
  const owner = new AccountOwner(account, region);
  const ipv6Owner = new Ipv6Owner(account, region);
  /** What the owner does and sees is of the present: time's changes first. */
  const advance = (): void => {
    for (const name of account.regionNames()) advanceInstances(account, account.region(name));
  };
  const now = (): AccountOwner => {
    advance();
    return owner;
  };
  const ipv6Now = (): Ipv6Owner => {
    advance();
    return ipv6Owner;
  };
  return {
    runInstance: (options) => now().runInstance(options),
    terminateInstance: (id) => now().terminateInstance(id),
    allocateAddress: (options) => now().allocateAddress(options),
    releaseAddress: (id) => now().releaseAddress(id),
    associateByHand: (options) => now().associateByHand(options),
    disassociateByHand: (id) => now().disassociateByHand(id),
    addresses: (name) => now().addresses(name),
    instances: (name) => now().instances(name),
    reserveIpv6: (options) => ipv6Now().reserveIpv6(options),
    assignIpv6ByHand: (options) => ipv6Now().assignIpv6ByHand(options),
    unassignIpv6ByHand: (ip) => ipv6Now().unassignIpv6ByHand(ip),
    ipv6Addresses: (name) => ipv6Now().ipv6Addresses(name),
    ipv6Reservations: (name) => ipv6Now().ipv6Reservations(name),
    journal: () => account.journal.events(),
    ...emulatorControls(account, switchPatchSchema, publishedLimits, parts),
  };
}
