/** On Compute Engine the ephemeral address must go before the static one can come: killed-between-addresses.ts. */
import { openGceCloud } from './ephemeral-clouds.ts';
import { testKilledBetweenAddresses } from './killed-between-addresses.ts';

testKilledBetweenAddresses({
  name: 'gce-killed',
  openCloud: openGceCloud,
  steps: [
    { name: 'del-unsent', action: 'deleteAccessConfig', at: 'request', fate: 'discard' },
    { name: 'del-late', action: 'deleteAccessConfig', at: 'request', fate: 'letGo' },
    { name: 'del-unanswered', action: 'deleteAccessConfig', at: 'answer', fate: 'discard' },
    { name: 'del-wait', action: 'wait', at: 'request', fate: 'discard' },
    { name: 'del-waited', action: 'wait', at: 'answer', fate: 'discard' },
    { name: 'add-unsent', action: 'addAccessConfig', at: 'request', fate: 'discard' },
  ],
  lastSteps: [
    { name: 'add-late', action: 'addAccessConfig', at: 'request', fate: 'letGo' },
    { name: 'add-unanswered', action: 'addAccessConfig', at: 'answer', fate: 'discard' },
    { name: 'add-wait', action: 'wait', at: 'request', nth: 2, fate: 'discard' },
    { name: 'add-waited', action: 'wait', at: 'answer', nth: 2, fate: 'discard' },
  ],
});
