/**
 * Changes of what workflows do, each guarded by `patched()` (Temporal documentation, "Versioning with Patching"), so that a run which began before
 * goes on as it did; test/replay has histories of both. They are asked for only where the ways part: a marker is two events.
 */

/** A write on a Node that Kubernetes refuses gives way to a grant, to a changed Node and to a move. */
export const WRITES_GIVE_WAY = 'writes-give-way';
/** A look of the mutex answers some of those who wait, and the next one the others. */
export const ANSWERS_IN_PORTIONS = 'answers-in-portions';
