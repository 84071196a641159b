/** The AWS provider on answers that are not what EC2 sent. */
import { startEc2Emulator } from '../../sandbox/ec2/emulator.ts';
import { openEc2Backend } from './ec2-backend.ts';
import { openEc2Ipv6Backend } from './ec2-ipv6-backend.ts';
import { runSpoiltAnswers } from './spoilt-answers.ts';

for (const [family, openBackend] of [
  ['ipv4', openEc2Backend],
  ['ipv6', openEc2Ipv6Backend],
] as const) {
  runSpoiltAnswers(`EC2, ${family}`, async () => {
    const emulator = await startEc2Emulator();
    const { url: endpoint, region, accountId: account } = emulator;
    const backend = await openBackend({ endpoint, region, account, stop: () => emulator.close() });
    return {
      backend,
      isThorough: family === 'ipv4',
      emulatorUrl: endpoint,
      openAt: (proxy) => backend.openProvider({ endpoint: proxy, batchWindowMs: 0 }),
    };
  });
}
