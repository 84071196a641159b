/** Long files first, so that none of them runs alone at the end while the other cores have nothing to do. */
import Sequencer from '@jest/test-sequencer';

/** Parts of paths, the longest first: `npm test -- --slowest 30` tells. */
const long = [
  '/chaos/',
  'spoilt-answers',
  '/crash/',
  '/browser/',
  '/cli/',
  '/helm/install',
  '/image/staged',
  '/replay/',
  '/unit/config-fuzz',
  '/unit/tools',
  '/integration/',
];

const rank = ({ path }) => {
  const index = long.findIndex((part) => path.includes(part));
  return index === -1 ? long.length : index;
};

export default class LongFilesFirst extends Sequencer {
  sort(tests) {
    return super.sort(tests).toSorted((a, b) => rank(a) - rank(b));
  }
}
