/** Names and types of the floor, so that its workflow can import them. */

/** As the project has them: one for the cluster, one for the cloud. */
export const floorQueues = { cluster: 'bench/floor/cluster', scope: 'bench/floor/scope' } as const;

export type FloorActivities = Record<
  'discover' | 'select' | 'associate' | 'verify' | 'publish',
  () => Promise<void>
>;
