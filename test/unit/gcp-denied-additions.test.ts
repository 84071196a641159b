/** When Compute Engine has denied an addition, and for how long none is tried that would cost an ephemeral address. */
import { expect, test } from '@jest/globals';
import { createDeniedAdditions } from '../../clouds/gcp/denied-additions.ts';
import { CloudError } from '../../clouds/provider.ts';

const denied = new CloudError('Denied', 'no permission', { code: 'forbidden' });

test('a denial holds for its subnetwork and family, for 5 minutes', () => {
  let now = 0;
  const additions = createDeniedAdditions(() => now);
  additions.ended('nodes', 'ipv4', denied);
  expect(() => additions.check('nodes', 'ipv4')).toThrow(
    expect.objectContaining({
      kind: 'Denied',
      code: 'forbidden',
      message: expect.stringContaining('no permission'),
    }),
  );
  expect(() => additions.check('others', 'ipv4')).not.toThrow();
  expect(() => additions.check('nodes', 'ipv6')).not.toThrow();
  now = 299_999;
  expect(() => additions.check('nodes', 'ipv4')).toThrow();
  now = 300_000;
  expect(() => additions.check('nodes', 'ipv4')).not.toThrow();
});

test('an addition that succeeds ends it; another failure neither ends nor begins it', () => {
  const additions = createDeniedAdditions(() => 0);
  const throttled = new CloudError('Throttled', 'later');
  additions.ended('nodes', 'ipv4', throttled);
  expect(() => additions.check('nodes', 'ipv4')).not.toThrow();
  additions.ended('nodes', 'ipv4', denied);
  additions.ended('nodes', 'ipv4', throttled);
  expect(() => additions.check('nodes', 'ipv4')).toThrow();
  additions.ended('nodes', 'ipv4');
  expect(() => additions.check('nodes', 'ipv4')).not.toThrow();
});
