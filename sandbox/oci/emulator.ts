/**
 * The emulator of Oracle Cloud: the Core Services API over HTTP for unmodified clients of Oracle, as far as public IPs go, and switches
 * that make it slow, limited, forgetful or faulty. State is in memory, of one tenancy and region. The fault `operationError`
 * makes an assignment come to nothing.
 */
import { AssociationJournal, type AssociationEvent } from '../cloud/association-journal.ts';
import { CallLog } from '../cloud/call-log.ts';
import { CallPipeline } from '../cloud/call-pipeline.ts';
import { systemClock, type Clock } from '../cloud/clock.ts';
import { answerControl, isControlRequest } from '../cloud/control-api.ts';
import { type ControlParts, type EmulatorControls, emulatorControls } from '../cloud/emulator-controls.ts';
import { FaultPlan, type AnyFault } from '../cloud/faults.ts';
import { startHttpServer, type HttpAnswer, type HttpRequest, type OnExchange } from '../cloud/http-server.ts';
import { RateLimiter } from '../cloud/rate-limits.ts';
import type { LimitsSetting } from '../cloud/switches.ts';
import { writeApiKey } from './api-key.ts';
import { assumedLimits } from './assumed-limits.ts';
import { controlEndpoints } from './control-endpoints.ts';
import {
  ociSwitchesOff,
  ociSwitchPatchSchema,
  type OciSwitches,
  type OciSwitchPatch,
} from './oci-switches.ts';
import { subnetIdOf } from './instances.ts';
import { TenancyOwner } from './owner.ts';
import { isCall, readCall } from './rest-service.ts';
import { ocid } from './tenancy-state.ts';
import { Tenancy, type Transition } from './tenancy.ts';

export interface OciEmulatorOptions {
  /** Default: any free port. */
  readonly port?: number;
  /** @default 127.0.0.1 */
  readonly host?: string;
  /** @default eu-frankfurt-1 */
  readonly region?: string;
  readonly latencyMs?: number;
  readonly jitterMs?: number;
  /** How long a public IP is on its way to a private IP, or off it. @default 0 */
  readonly transitionMs?: number;
  readonly transitionJitterMs?: number;
  /** @default off */
  readonly limits?: LimitsSetting;
  readonly staleListsMs?: number;
  /** null: no limit. @default null */
  readonly reservedPublicIpLimit?: number | null;
  readonly clock?: Clock;
  /** For jitter and the probability of faults; from 0 to below 1. */
  readonly random?: () => number;
  /** Told about each request that is answered, and its answer. */
  readonly onExchange?: OnExchange;
}

export interface OciEmulator
  extends
    Pick<
      TenancyOwner,
      | 'launchInstance'
      | 'terminateInstance'
      | 'forgetInstance'
      | 'setStateByHand'
      | 'reservePublicIp'
      | 'deletePublicIp'
      | 'setFreeformTags'
      | 'assignByHand'
      | 'assignToLoadBalancer'
      | 'unassignByHand'
      | 'publicIps'
      | 'instances'
    >,
    EmulatorControls<OciSwitches, OciSwitchPatch, AnyFault> {
  readonly url: string;
  readonly region: string;
  readonly tenancyId: string;
  /** The compartment of the helpers that name none. */
  readonly compartmentId: string;
  /** A second one of the tenancy. */
  readonly otherCompartmentId: string;
  /** The compartment of the subnets. */
  readonly networkCompartmentId: string;
  /** Where an instance may have a public IP. */
  readonly publicSubnetId: string;
  /** What the `oci` CLI, the SDKs and this project's programs need in their environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Who held which reserved public IP when, from the beginning. Instances and addresses are there by their OCIDs. */
  journal(): readonly AssociationEvent[];
  /** The states that passed by themselves, from the beginning. */
  transitions(): readonly Transition[];
  /** Cuts all connections and frees the port. */
  close(): Promise<void>;
}

/** Starts an emulator of its own; several may run side by side. */
export async function startOciEmulator(options: OciEmulatorOptions = {}): Promise<OciEmulator> {
  const { region = 'eu-frankfurt-1', clock = systemClock } = options;
  const random = options.random ?? Math.random;
  const [tenancyId, userId, compartmentId, otherCompartmentId, networkCompartmentId] = [
    ocid('tenancy', '', 'sandbox'),
    ocid('user', '', 'sandbox'),
    ocid('compartment', '', 'sandbox'),
    ocid('compartment', '', 'other'),
    ocid('compartment', '', 'network'),
  ];
  const tenancy = new Tenancy({
    tenancyId,
    compartmentIds: [compartmentId, otherCompartmentId, networkCompartmentId],
    networkCompartmentId,
    region,
    clock,
    random,
    journal: new AssociationJournal(),
    switches: ociSwitchesOff,
  });
  const log = new CallLog();
  const faults = new FaultPlan<AnyFault>(random);
  const limiter = new RateLimiter();
  const core = buildCore(tenancy, compartmentId, { log, faults, limiter });
  core.configure({
    latencyMs: options.latencyMs,
    jitterMs: options.jitterMs,
    transitionMs: options.transitionMs,
    transitionJitterMs: options.transitionJitterMs,
    staleListsMs: options.staleListsMs,
    reservedPublicIpLimit: options.reservedPublicIpLimit,
    limits: options.limits,
  });

  const pipeline = new CallPipeline({
    clock,
    random,
    faults,
    limiter,
    log,
    switches: () => tenancy.switches,
  });
  const endpoints = controlEndpoints({ ...core, compartmentId, region });
  const written = writeApiKey({ tenancyId, userId, region });
  const handle = async (request: HttpRequest): Promise<HttpAnswer | undefined> => {
    if (isControlRequest(request)) return answerControl(endpoints, request);
    const read = readCall(tenancy, written.key, request);
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
    OCI_CLI_CONFIG_FILE: written.configFile,
    OCI_CONFIG_FILE: written.configFile,
    OCI_CLI_AUTH: 'api_key',
    OCI_CLI_REGION: region,
    OCI_REGION: region,
    OCI_CLI_ENDPOINT: server.url,
  };
  return {
    ...core,
    url: server.url,
    region,
    tenancyId,
    compartmentId,
    otherCompartmentId,
    networkCompartmentId,
    publicSubnetId: subnetIdOf(region, 'public'),
    environment,
    async close() {
      written.remove();
      await server.close();
    },
  };
}

/** Everything but the server: what the helpers in the process and the control endpoints share. */
export type OciEmulatorCore = Omit<
  OciEmulator,
  | 'url'
  | 'region'
  | 'tenancyId'
  | 'compartmentId'
  | 'otherCompartmentId'
  | 'networkCompartmentId'
  | 'publicSubnetId'
  | 'environment'
  | 'close'
>;

function buildCore(tenancy: Tenancy, compartmentId: string, parts: ControlParts<AnyFault>): OciEmulatorCore {
  const owner = new TenancyOwner(tenancy, compartmentId);
  /** What the owner does and sees is of the present: what is due comes first. */
  const now = (): TenancyOwner => {
    tenancy.advance();
    return owner;
  };
  return {
    launchInstance: (options) => now().launchInstance(options),
    terminateInstance: (id) => now().terminateInstance(id),
    forgetInstance: (id) => now().forgetInstance(id),
    setStateByHand: (id, state) => now().setStateByHand(id, state),
    reservePublicIp: (options) => now().reservePublicIp(options),
    deletePublicIp: (id) => now().deletePublicIp(id),
    setFreeformTags: (id, tags) => now().setFreeformTags(id, tags),
    assignByHand: (options) => now().assignByHand(options),
    assignToLoadBalancer: (id) => now().assignToLoadBalancer(id),
    unassignByHand: (id, options) => now().unassignByHand(id, options),
    publicIps: () => now().publicIps(),
    instances: () => now().instances(),
    journal: () => {
      tenancy.advance();
      return tenancy.journal.events();
    },
    transitions: () => [...tenancy.transitions],
    ...emulatorControls(tenancy, ociSwitchPatchSchema, assumedLimits, parts),
  };
}
