import type { Family, Instance } from '../model/address.ts';
import type { Holding } from './messages.ts';

/** @returns what of the family an instance holds that it could keep: an ephemeral address is nothing of the kind. Pure */
export function holdingOf({ publicIps }: Pick<Instance, 'publicIps'>, family: Family): Holding | undefined {
  const held = publicIps.filter((it) => it.family === family && it.kind !== 'ephemeral');
  if (held.length === 0) return undefined;
  return { ips: held.map(({ ip }) => ip), exclusive: held.some(({ kind }) => kind === 'static') };
}
