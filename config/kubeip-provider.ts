/** Which cloud KubeIP's environment variables are for. KubeIP saw it by the node; here the variables tell. */
import { cloudOf, isProviderName, providerNames } from '../clouds/registry.ts';
import type { Cloud } from '../clouds/cloud.ts';
import type { ProviderName } from '../model/scope.ts';
import { providerOfFilter } from './validate-query.ts';

/**
 * What is named weighs most, then what can be of one cloud only. What the filter looks like comes after that: a filter of Google Cloud
 * may begin with any field. The variables of the clouds' own tools come last: they may be there for another program.
 *
 * @returns the cloud; undefined if nothing tells
 */
export function providerOfEnv(env: NodeJS.ProcessEnv): ProviderName | undefined {
  const { PROVIDER, REGION, PROJECT, FILTER = '' } = env;
  if (isProviderName(PROVIDER)) return PROVIDER;
  return (
    only(({ region }) => REGION !== undefined && region.of(REGION) !== undefined) ??
    only(({ account }) => PROJECT !== undefined && account.pattern.test(PROJECT)) ??
    providerOfFilter(FILTER) ??
    only(({ region }) => region.variables.some((name) => env[name]))
  );
}

/** @returns the one cloud of which this is true; undefined if it is true of none or of several */
function only(isTrue: (cloud: Cloud) => boolean): ProviderName | undefined {
  const [first, ...others] = providerNames.filter((name) => isTrue(cloudOf(name)));
  return others.length === 0 ? first : undefined;
}
