/** Which pool a node belongs to. Pure: the watcher and the worker must come to the same answer. */
import type { NodeSelector, NodeSelectorRequirement, PoolConfig } from './config.ts';

export type Labels = Readonly<Record<string, string>>;

/** @returns the first pool, in the file's order, whose selector matches these labels of a Node */
export function selectPool(pools: readonly PoolConfig[], labels: Labels): PoolConfig | undefined {
  return pools.find((pool) => matchesSelector(pool.nodeSelector, labels));
}

/**
 * As Kubernetes decides ("Labels and Selectors", "Assigning Pods to Nodes"): all requirements must hold; an empty selector
 * matches everything; NotIn and DoesNotExist also match where the label is absent.
 */
export function matchesSelector(selector: NodeSelector, labels: Labels): boolean {
  const labelsMatch = Object.entries(selector.matchLabels ?? {}).every(
    ([key, value]) => valueOf(labels, key) === value,
  );
  return labelsMatch && (selector.matchExpressions ?? []).every((requirement) => meets(requirement, labels));
}

function meets(requirement: NodeSelectorRequirement, labels: Labels): boolean {
  const value = valueOf(labels, requirement.key);
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
    case 'Lt':
      return compares(requirement.operator, parseInt64(value), parseInt64(values[0]));
  }
}

function compares(operator: 'Gt' | 'Lt', left: bigint | undefined, right: bigint | undefined): boolean {
  if (left === undefined || right === undefined) return false;
  return operator === 'Gt' ? left > right : left < right;
}

/** Kubernetes compares 64-bit integers; a value that is none matches neither Gt nor Lt. */
function parseInt64(text: string | undefined): bigint | undefined {
  if (text === undefined || !/^[+-]?[0-9]+$/.test(text)) return undefined;
  const value = BigInt(text.replace(/^\+/, ''));
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

/** A label named as a property that every object has (`constructor`) is absent unless the Node carries it. */
function valueOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
