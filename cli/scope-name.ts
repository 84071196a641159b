import { isProviderName } from '../clouds/registry.ts';
import type { Scope } from '../model/scope.ts';

/** @returns the scope that {@link formatScope} wrote; undefined if the text is none */
export function parseScope(text: string): Scope | undefined {
  const [provider, account, region, ...more] = text.split('/');
  if (!isProviderName(provider)) return undefined;
  if (!account || !region || more.length > 0) return undefined;
  return { provider, account, region };
}
