/** Request ids, by which Compute Engine knows a repeated request: it answers the first one's operation again. */
import { createHash } from 'node:crypto';

/** A UUID of our own, drawn once: ids of other programs that hash the same words differ. */
const namespace = Buffer.from('7d5c7b0f0a5e4d43a1c66c0b2b3d9f18', 'hex');

/**
 * @param parts what makes the request this one; the same parts always give the same id
 * @returns a name-based UUID, version 5 of RFC 9562
 */
export function requestIdOf(...parts: readonly string[]): string {
  // JSON keeps ['a', 'bc'] and ['ab', 'c'] apart.
  const bytes = createHash('sha1').update(namespace).update(JSON.stringify(parts)).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
