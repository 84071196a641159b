/** The OCI provider on answers that are not what Oracle Cloud sent. */
import { openOciBackend } from './oci-backend.ts';
import { runSpoiltAnswers } from './spoilt-answers.ts';

runSpoiltAnswers('Oracle Cloud', async () => {
  const backend = await openOciBackend();
  return {
    backend,
    isThorough: true,
    // A list is a bare array, and tags are what a pool is chosen by.
    ownWords: /^a JSON list|^(?:without )?(?:freeformTags|pool)(?: as (?:null|\{\}))?(?: \(|$)/,
    emulatorUrl: backend.emulator.url,
    openAt: (endpoint) => backend.openProvider({ endpoint, batchWindowMs: 0, settleTimeoutMs: 300 }),
  };
});
