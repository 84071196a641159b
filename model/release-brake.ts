/** Whether releases for gone nodes are held until an operator confirms them. Pure. */
import type { ReleaseBrake } from './settings.ts';

/** Nodes of one cluster that have an address, or had it until lately. */
export interface GoneNodes {
  /** Their Node is gone and their address is not released yet. */
  readonly gone: number;
  /** Their address was released lately, from an instance that still ran, and that no other Node is on. */
  readonly released: number;
  /** All nodes that have an address, gone ones included. */
  readonly nodes: number;
}

export interface BrakeVerdict {
  readonly held: boolean;
  /** How many nodes are gone, lately released ones included, and out of how many. */
  readonly gone: number;
  readonly of: number;
}

/** @returns `held` if at least `minimum` nodes and more than `percent` of all are gone */
export function weigh(
  { gone, released, nodes }: GoneNodes,
  { percent, minimum }: ReleaseBrake,
): BrakeVerdict {
  const count = gone + released;
  const of = nodes + released;
  return { held: count >= minimum && count * 100 > percent * of, gone: count, of };
}

/** A Node of the cluster. */
export interface PresentNode {
  readonly name: string;
  /** As `instanceKey` names it; undefined: it has no providerID. */
  readonly instance: string | undefined;
}

/** A node's workflow that runs, as visibility lists it. */
export interface RunWithAddress {
  readonly node: string;
  readonly instance: string | undefined;
}

/**
 * @returns the runs whose machine no Node stands for: a machine that registered again, under whatever name or uid, is not gone
 */
export function goneRuns(nodes: readonly PresentNode[], runs: readonly RunWithAddress[]): RunWithAddress[] {
  const names = new Set(nodes.map(({ name }) => name));
  const instances = new Set(nodes.map(({ instance }) => instance));
  return runs.filter(({ node, instance }) =>
    instance === undefined ? !names.has(node) : !instances.has(instance),
  );
}

/**
 * @param gone the runs that count as gone
 * @param released the instances of runs that ended lately without their address
 * @returns the machines that lost their address: not one that another Node stands for, to which the address passed
 */
export function releasedMachines(
  nodes: readonly PresentNode[],
  gone: readonly RunWithAddress[],
  released: readonly string[],
): string[] {
  const others = new Set([...nodes, ...gone].map(({ instance }) => instance));
  return [...new Set(released)].filter((instance) => !others.has(instance));
}
