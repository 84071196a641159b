import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { requestIdOf } from '../../clouds/gcp/request-id.ts';

const parts = fc.array(fc.string(), { minLength: 1 });

test('a request id is a name-based UUID, the same for the same words', () => {
  fc.assert(
    fc.property(parts, (words) => {
      const id = requestIdOf(...words);
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(requestIdOf(...words)).toBe(id);
    }),
  );
});

test('other words, or the same letters in other words, give another id', () => {
  expect(requestIdOf('a', 'bc')).not.toBe(requestIdOf('ab', 'c'));
  fc.assert(
    fc.property(parts, parts, (one, other) => {
      fc.pre(JSON.stringify(one) !== JSON.stringify(other));
      expect(requestIdOf(...one)).not.toBe(requestIdOf(...other));
    }),
  );
});
