/** Retry tokens, by which OCI knows a repeated request: it is carried out once ("Retry Tokens", API documentation). */
import { createHash } from 'node:crypto';

/**
 * @param parts what makes the request this one; the same parts always give the same token
 * @returns 64 characters, which is the most that OCI takes
 */
export function retryTokenOf(...parts: readonly string[]): string {
  // JSON keeps ['a', 'bc'] and ['ab', 'c'] apart.
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
