/** By what a Node was selected: the pool, and the Node's labels that the selectors looked at then. Null: the Node lacked it. */
export interface Selection {
  readonly pool: string;
  readonly labels: Readonly<Record<string, string | null>>;
}

/**
 * Why another pool, or none, selects a Node. `labels`: the Node's own labels changed. `configuration`: the pools or their selectors
 * changed, so nothing about the Node itself is the reason.
 */
export type SelectionChange = 'labels' | 'configuration';
