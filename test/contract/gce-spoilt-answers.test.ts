/** The GCP provider on answers that are not what Compute Engine sent. */
import { openGceBackend } from './gce-backend.ts';
import { runSpoiltAnswers } from './spoilt-answers.ts';

for (const family of ['ipv4', 'ipv6'] as const) {
  runSpoiltAnswers(`Compute Engine, ${family}`, async () => {
    const backend = await openGceBackend(family, { operationMs: 0 });
    return {
      backend,
      isThorough: family === 'ipv4',
      emulatorUrl: backend.emulator.url,
      openAt: (endpoint) => backend.openProvider({ endpoint, batchWindowMs: 0 }),
    };
  });
}
