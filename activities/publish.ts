/** Shows a node's state on its Node: labels, annotations, an Event, and the taint that is lifted. */
import { ApplicationFailure } from '@temporalio/common';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { createNodeEvent } from '../kubernetes/events.ts';
import {
  addressIdAnnotation,
  messageAnnotation,
  phaseLabel,
  poolLabel,
  publicIpv4Annotation,
  publicIpv6Annotation,
} from '../kubernetes/keys.ts';
import { markNode, type NodeMarks, removeTaint } from '../kubernetes/node-writer.ts';
import { type Family, familyOf } from '../model/address.ts';
import { phaseTraits } from '../model/phase.ts';
import { visibleText } from '../model/visible-text.ts';
import type { LiftTaintInput, PublishInput } from './contract.ts';

/**
 * The addresses are written before the taint goes: whoever is scheduled because the taint is gone finds them there.
 *
 * @returns `gone` if there is no Node with this name and uid: nothing was written. `taintPending`: all is written, but the taint stays
 * until the Node's status shows the addresses
 * @throws KubernetesError
 */
export async function publishOnNode(
  client: KubernetesClient,
  input: PublishInput,
): Promise<'written' | 'gone' | 'taintPending'> {
  const { node, key, taintKey, awaits, event, warning } = input;
  if ((await markNode(client, node, marksOf(input))) === 'gone') return 'gone';
  const isLifted = taintKey !== undefined && liftsTaint(input);
  const taint = isLifted ? await removeTaint(client, node, taintKey, awaits) : 'written';
  if (taint === 'gone') return 'gone';
  // Last: whatever hinders the Event keeps no taint on.
  if (event !== undefined) await createNodeEvent(client, { node, key, ...event });
  if (warning !== undefined) await createNodeEvent(client, { node, key: `${key}/warning`, ...warning });
  return taint === 'written' ? 'written' : 'taintPending';
}

/**
 * @returns `gone` if there is no Node with this name and uid
 * @throws ApplicationFailure `AddressNotShown` while the Node's status does not show the addresses; KubernetesError
 */
export async function liftTaintOnceShown(
  client: KubernetesClient,
  { node, taintKey, awaits }: LiftTaintInput,
): Promise<'written' | 'gone'> {
  const outcome = await removeTaint(client, node, taintKey, awaits);
  if (outcome === 'written' || outcome === 'gone') return outcome;
  const { missing, shows } = outcome;
  const shown = shows.length === 0 ? 'no ExternalIP' : shows.map(visibleText).join(' and ');
  throw ApplicationFailure.create({
    type: 'AddressNotShown',
    message: `The status of Node ${node.name} shows ${shown}, and not yet ${missing.join(' and ')}.`,
    category: 'BENIGN',
  });
}

/** A taint that is gone already stays so, whatever becomes of the node: nobody here puts one on. */
function liftsTaint({ phase, taintPolicy, gaveUp = false }: PublishInput): boolean {
  const mayGiveUp = taintPolicy === 'assignedOrGaveUp';
  switch (phaseTraits(phase).liftsTaint) {
    case 'always':
      return true;
    case 'ifGivenUp':
      return mayGiveUp;
    case 'ifToleratedLong':
      return mayGiveUp && gaveUp;
    case 'never':
      return false;
  }
}

function marksOf({ phase, pool, addresses, message, event }: PublishInput): NodeMarks {
  const ipOf = (family: Family): string | null =>
    addresses.find(({ ip }) => familyOf(ip) === family)?.ip ?? null;
  const why = event?.message ?? message;
  return {
    labels: { [phaseLabel]: phase, [poolLabel]: pool ?? null },
    annotations: {
      [publicIpv4Annotation]: ipOf('ipv4'),
      [publicIpv6Annotation]: ipOf('ipv6'),
      [addressIdAnnotation]: addresses.map(({ id }) => id).join(',') || null,
      [messageAnnotation]: why === undefined || phase === 'assigned' ? null : visibleText(why),
    },
  };
}
