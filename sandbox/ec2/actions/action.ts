/** What an action of the emulator is. */
import type { Ec2Account } from '../account.ts';
import type { Parameters } from '../parameters.ts';
import type { XmlNode } from '../query-xml.ts';
import type { RenderContext } from '../render.ts';
import type { RegionState } from '../region-state.ts';

export interface ActionRequest {
  readonly account: Ec2Account;
  readonly region: RegionState;
  readonly parameters: Parameters;
}

export interface Ec2Action {
  /** False for what only reads. */
  readonly mutating: boolean;
  /** False for the few that know no DryRun. @default true */
  readonly dryRun?: false;
  /** The parameters it has beside DryRun, with `N` for a number. Anything else is an `UnknownParameter`. */
  readonly parameters: readonly string[];
  /** True where the request names nothing: AWS limits such lists more. */
  readonly unfiltered?: (parameters: Parameters) => boolean;
  /** Checks everything before it changes anything. @throws Ec2Error */
  run(request: ActionRequest): XmlNode;
}

/** What lists are rendered from: an older state where lists are eventually consistent. */
export function listContext({ account, region }: ActionRequest): RenderContext {
  return { view: account.view(region.region), accountId: account.accountId, vpcId: region.vpcId };
}

/** What the answer of a change is rendered from: always the present. */
export function presentContext({ account, region }: ActionRequest): RenderContext {
  return {
    view: region.live(account.clock.now()),
    accountId: account.accountId,
    vpcId: region.vpcId,
  };
}

/** EC2's word for "done" where there is nothing else to say. */
export const done: XmlNode = { return: true };
