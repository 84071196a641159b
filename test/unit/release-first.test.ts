/** Nothing can be changed or fixed before the first release: the changelog says so until there is a section with a version. */
import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

test('the changelog tells of changes and fixes only after something was released', () => {
  const text = readFileSync(join(import.meta.dirname, '../../CHANGELOG.md'), 'utf8');
  const headings = [...text.matchAll(/^#{2,3} (.+)$/gm)].map(([, heading]) => heading);
  const released = headings.findIndex((heading) => /^\d/.test(heading ?? ''));
  if (released < 0) expect(headings).toEqual(['Unreleased', 'Added']);
});
