import type { ProviderName } from '../clouds/traits.ts';

export type { ProviderName };

/**
 * Where a static address is unique: an account (AWS) or project (GCP) in one region.
 * One AddressPoolWorkflow, the mutex, exists for each scope.
 */
export interface Scope {
  readonly provider: ProviderName;
  /** AWS account id (12 digits) or GCP project id. */
  readonly account: string;
  readonly region: string;
}

/** @returns the scope as it is written in workflow ids and task queues: `aws/123456789012/eu-west-1` */
export function formatScope(scope: Scope): string {
  return `${scope.provider}/${scope.account}/${scope.region}`;
}
