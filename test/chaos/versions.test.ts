/** A few versions of the workers, out and back, as `npm run chaos -- --versions` plays ten: docs/reliability.md has those runs. */
import { expect, test } from '@jest/globals';
import { runVersions } from './versions/run-versions.ts';

const CASE_MS = 400_000;
/** A seed whose order goes from build a to b and back. */
const SEED = 8;

test(
  'three versions are rolled out and back while nodes come and go: nothing is lost, stuck, or bound to an old version',
  async () => {
    const said: string[] = [];
    const { violations, leaked, stuck, crashes, livePatches, pinnedElsewhere, ...played } = await runVersions(
      {
        seed: SEED,
        versions: 3,
        clouds: ['aws'],
        killed: 0,
        waitsForAll: true,
        lifeMs: 3_000,
        signal: new AbortController().signal,
        say: (line) => said.push(line),
      },
    );
    const wrong = { violations, leaked, stuck, crashes, livePatches, pinnedElsewhere };
    expect({ said, wrong }).toEqual({
      said,
      wrong: { violations: 0, leaked: 0, stuck: 0, crashes: 0, livePatches: 0, pinnedElsewhere: 0 },
    });
    expect(played.rolls).toBeGreaterThan(3);
    expect(played.back).toBeGreaterThan(0);
    expect(played.assignments).toBeGreaterThan(0);
  },
  CASE_MS,
);
