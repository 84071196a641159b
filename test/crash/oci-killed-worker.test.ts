/** On Oracle Cloud the ephemeral address must go before the static one can come: killed-between-addresses.ts. */
import { openOciCloud } from './ephemeral-clouds.ts';
import { testKilledBetweenAddresses } from './killed-between-addresses.ts';

testKilledBetweenAddresses({
  name: 'oci-killed',
  openCloud: openOciCloud,
  steps: [
    { name: 'del-unsent', action: 'DELETE', at: 'request', fate: 'discard' },
    { name: 'del-late', action: 'DELETE', at: 'request', fate: 'letGo' },
    { name: 'del-unanswered', action: 'DELETE', at: 'answer', fate: 'discard' },
    { name: 'assign-unsent', action: 'assign', at: 'request', fate: 'discard' },
  ],
  lastSteps: [
    { name: 'assign-late', action: 'assign', at: 'request', fate: 'letGo' },
    { name: 'assign-unanswered', action: 'assign', at: 'answer', fate: 'discard' },
    { name: 'assign-asked', action: 'readPublicIp', at: 'request', nth: 2, fate: 'discard' },
  ],
});
