/**
 * The Compute Engine emulator: the REST API over HTTP for unmodified Google clients, as far as addresses and access configs
 * go, and switches that make it slow, limited, forgetful or faulty. State is in memory, of one project.
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
import { answerBatch, isBatch } from './batch.ts';
import { controlEndpoints } from './control-endpoints.ts';
import { GceProject } from './gce-project.ts';
import {
  gceSwitchesOff,
  gceSwitchPatchSchema,
  type GceSwitches,
  type GceSwitchPatch,
} from './gce-switches.ts';
import { ProjectOwner } from './owner.ts';
import { publishedLimits } from './published-limits.ts';
import { isCall, readCall } from './rest-service.ts';

export interface GceEmulatorOptions {
  /** Default: any free port. */
  readonly port?: number;
  /** @default 127.0.0.1 */
  readonly host?: string;
  /** @default sandbox-project */
  readonly projectId?: string;
  /** The region of the helpers that name none. @default europe-west1 */
  readonly region?: string;
  readonly latencyMs?: number;
  readonly jitterMs?: number;
  /** How long an operation runs. 0: it is DONE when it is answered. @default 0 */
  readonly operationMs?: number;
  readonly operationJitterMs?: number;
  /** How long `wait` blocks at most. @default 120000 */
  readonly waitLimitMs?: number;
  /** @default off */
  readonly limits?: LimitsSetting;
  readonly staleListsMs?: number;
  /** @default refused */
  readonly ipv6AccessConfigCalls?: 'refused' | 'served';
  /** null: no quota. @default null */
  readonly addressQuota?: number | null;
  readonly clock?: Clock;
  /** For jitter and the probability of faults; from 0 to below 1. */
  readonly random?: () => number;
  /** Told about each request that is answered, and its answer. */
  readonly onExchange?: OnExchange;
}

export interface GceEmulator
  extends
    Pick<
      ProjectOwner,
      | 'insertInstance'
      | 'deleteInstance'
      | 'reserveAddress'
      | 'deleteAddress'
      | 'setAddressLabels'
      | 'attachByHand'
      | 'detachByHand'
      | 'setStackTypeByHand'
      | 'setStatusByHand'
      | 'addresses'
      | 'instances'
    >,
    EmulatorControls<GceSwitches, GceSwitchPatch, AnyFault> {
  readonly url: string;
  readonly projectId: string;
  readonly region: string;
  /** What `gcloud` needs in its environment to talk to the emulator. */
  readonly environment: Readonly<Record<string, string>>;
  /** Who held which static address when, from the beginning. Instances and addresses are there by their names. */
  journal(): readonly AssociationEvent[];
  /** Cuts all connections and frees the port. */
  close(): Promise<void>;
}

/** Starts an emulator of its own; several may run side by side. */
export async function startGceEmulator(options: GceEmulatorOptions = {}): Promise<GceEmulator> {
  const { projectId = 'sandbox-project', region = 'europe-west1', clock = systemClock } = options;
  const random = options.random ?? Math.random;
  const project = new GceProject({
    projectId,
    projectNumber: '123456789012',
    clock,
    random,
    journal: new AssociationJournal(),
    switches: gceSwitchesOff,
  });
  const log = new CallLog();
  const faults = new FaultPlan<AnyFault>(random);
  const limiter = new RateLimiter();
  const core = buildCore(project, region, { log, faults, limiter });
  core.configure({
    latencyMs: options.latencyMs,
    jitterMs: options.jitterMs,
    operationMs: options.operationMs,
    operationJitterMs: options.operationJitterMs,
    waitLimitMs: options.waitLimitMs,
    staleListsMs: options.staleListsMs,
    ipv6AccessConfigCalls: options.ipv6AccessConfigCalls,
    addressQuota: options.addressQuota,
    limits: options.limits,
  });

  const pipeline = new CallPipeline({
    clock,
    random,
    faults,
    limiter,
    log,
    switches: () => project.switches,
  });
  const endpoints = controlEndpoints({ ...core, projectId, region });
  const answer = async (request: HttpRequest): Promise<HttpAnswer | undefined> => {
    const read = readCall(project, request);
    if (isCall(read)) return pipeline.run(read);
    log.recordUnreadable(read.outcome);
    return read;
  };
  const handle = async (request: HttpRequest): Promise<HttpAnswer | undefined> => {
    if (isControlRequest(request)) return answerControl(endpoints, request);
    return isBatch(request) ? answerBatch(request, answer) : answer(request);
  };
  const server = await startHttpServer({
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 0,
    handle,
    onExchange: options.onExchange,
  });
  const environment = {
    CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE: `${server.url}/compute/v1/`,
    CLOUDSDK_AUTH_ACCESS_TOKEN: 'sandbox',
    CLOUDSDK_CORE_PROJECT: projectId,
    CLOUDSDK_COMPUTE_REGION: region,
    CLOUDSDK_COMPUTE_ZONE: `${region}-b`,
    // Nothing of it leaves the machine.
    CLOUDSDK_CORE_DISABLE_USAGE_REPORTING: 'true',
    CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK: 'true',
  };
  return { ...core, url: server.url, projectId, region, environment, close: () => server.close() };
}

/** Everything but the server: what the helpers in the process and the control endpoints share. */
export type GceEmulatorCore = Omit<GceEmulator, 'url' | 'projectId' | 'region' | 'environment' | 'close'>;

function buildCore(project: GceProject, region: string, parts: ControlParts<AnyFault>): GceEmulatorCore {
  const owner = new ProjectOwner(project, region);
  /** What the owner does and sees is of the present: operations that are due first. */
  const now = (): ProjectOwner => {
    project.operations.advance();
    return owner;
  };
  return {
    insertInstance: (options) => now().insertInstance(options),
    deleteInstance: (name, zone) => now().deleteInstance(name, zone),
    reserveAddress: (options) => now().reserveAddress(options),
    deleteAddress: (name, where) => now().deleteAddress(name, where),
    setAddressLabels: (name, labels, where) => now().setAddressLabels(name, labels, where),
    attachByHand: (options) => now().attachByHand(options),
    detachByHand: (name, options) => now().detachByHand(name, options),
    setStackTypeByHand: (options) => now().setStackTypeByHand(options),
    setStatusByHand: (options) => now().setStatusByHand(options),
    addresses: (where) => now().addresses(where),
    instances: (where) => now().instances(where),
    journal: () => {
      project.operations.advance();
      return project.journal.events();
    },
    ...emulatorControls(project, gceSwitchPatchSchema, publishedLimits, parts),
  };
}
