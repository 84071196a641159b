/**
 * The patches of the workflows: the ids that `patched()` and `deprecatePatch()` are called with. Workers tell each other by it which
 * changes they can replay, and a patch takes effect only once all of them can (worker/patch-activation.ts). An id goes when its last
 * call goes. test/unit/patches.test.ts holds the list against the sources.
 */
export const knownPatches: readonly string[] = [];
