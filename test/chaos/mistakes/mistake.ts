/** What a scene of `npm run chaos -- --mistakes` is: one mistake of an operator, played once in a world of its own. */
import type { AssociationEvent } from '../../../sandbox/cloud/association-journal.ts';
import type { MistakeWorld } from './mistake-world.ts';

/** A file in this folder, and a row in registry.ts. */
export interface Mistake {
  /** Kebab-case, for the command line. */
  readonly name: string;
  /** One sentence: what the operator did. */
  readonly what: string;
  /** The API server is stopped and started again: the scene has one of its own. */
  readonly restarts?: boolean;
  /**
   * Lets nodes be assigned, makes the mistake, and waits until it is clear what came of it.
   *
   * @throws Error if the mistake cannot be played, or if a program did not do what it must
   */
  readonly play: (world: MistakeWorld) => Promise<Told>;
}

export interface Told {
  /** Addresses that living nodes lost, if only for a moment. */
  readonly lost: readonly LostAddress[];
  /** What a program said about the mistake, with the remedy in it. */
  readonly said: string;
}

/** An address that a living node has. */
export interface Holding {
  readonly node: string;
  readonly instanceId: string;
  readonly ip: string;
}

export interface LostAddress extends Holding {
  /** ISO 8601. */
  readonly at: string;
  /** As the cloud's journal names it. */
  readonly cause: AssociationEvent['cause'];
}

/**
 * Which of the holdings ended by a program's call. One that was given back later counts as well: connections broke. Pure.
 *
 * @param since what the cloud's journal says of the time since the holdings were read
 */
export function lostAddresses(
  holdings: readonly Holding[],
  since: readonly AssociationEvent[],
): LostAddress[] {
  return holdings.flatMap((holding) => {
    const end = since.find(
      ({ by, publicIp, instanceId, previousInstanceId }) =>
        by === 'api' &&
        publicIp === holding.ip &&
        previousInstanceId === holding.instanceId &&
        instanceId !== holding.instanceId,
    );
    return end === undefined ? [] : [{ ...holding, at: end.time, cause: end.cause }];
  });
}
