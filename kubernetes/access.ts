/** Whether an identity has the rules that it needs in Kubernetes. */
import {
  AuthorizationV1Api,
  CoreV1Api,
  PatchStrategy,
  setHeaderOptions,
  VersionApi,
} from '@kubernetes/client-node';
import type { PermissionResult } from '../model/permission-check.ts';
import type { KubernetesClient } from './client.ts';
import { KubernetesError } from './errors.ts';
import { messageAnnotation } from './keys.ts';
import type { NeededRule } from './needed-rules.ts';

export interface RuleCheck extends NeededRule {
  readonly result: PermissionResult;
  readonly detail: string;
}

/**
 * Asks the API server whether the client's own identity has the rules (SelfSubjectAccessReview, which everybody may create by the
 * role system:basic-user). Changes nothing.
 *
 * Throws nothing: a question that is not answered is `untestable`.
 */
export async function checkRules(
  client: KubernetesClient,
  rules: readonly NeededRule[],
): Promise<RuleCheck[]> {
  return Promise.all(rules.map((rule) => checkRule(client, rule)));
}

async function checkRule(client: KubernetesClient, rule: NeededRule): Promise<RuleCheck> {
  const { verb, resource, namespace, name } = rule;
  try {
    const resourceAttributes = {
      verb,
      resource,
      ...(namespace === undefined ? {} : { namespace }),
      ...(name === undefined ? {} : { name }),
    };
    const body = { spec: { resourceAttributes } };
    const action = { verb: 'create', resource: 'selfsubjectaccessreviews' } as const;
    const { status } = await client.call(AuthorizationV1Api, action, (api) =>
      api.createSelfSubjectAccessReview({ body }),
    );
    if (status?.allowed === true) return { ...rule, result: 'granted', detail: 'by SelfSubjectAccessReview' };
    if (status?.allowed !== false) throw new Error('its answer has no status.allowed');
    const where = namespace === undefined ? 'by a ClusterRole' : `by a Role in the namespace ${namespace}`;
    const only = name === undefined ? '' : `, resourceNames ["${name}"]`;
    const detail = `RBAC does not allow it: grant ${where} apiGroups [""], resources ["${resource}"], verbs ["${verb}"]${only}`;
    return { ...rule, result: 'missing', detail };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ...rule, result: 'untestable', detail: `the API server does not say: ${reason}` };
  }
}

/** @returns as `v1.34.2`; undefined if the API server does not say */
export async function serverVersion({ kubeConfig }: KubernetesClient): Promise<string | undefined> {
  try {
    return (await kubeConfig.makeApiClient(VersionApi).getCode()).gitVersion;
  } catch {
    return undefined;
  }
}

/**
 * Whether a write on a Node would be taken, admission included: a dry run, which changes nothing.
 *
 * Throws nothing: a question that is not answered is `untestable`.
 */
export async function tryWriting(
  client: KubernetesClient,
  { name, uid }: { readonly name: string; readonly uid: string },
): Promise<RuleCheck> {
  const rule = { verb: 'patch', resource: 'nodes', name } as const;
  try {
    const options = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);
    // Something changes, or no admission would look at it.
    const body = { metadata: { uid, annotations: { [messageAnnotation]: 'a dry run of kubeip doctor' } } };
    await client.call(CoreV1Api, rule, (core) => core.patchNode({ name, body, dryRun: 'All' }, options));
    return { ...rule, result: 'granted', detail: 'by a dry run' };
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    const result = error.kind === 'Denied' ? 'missing' : 'untestable';
    return { ...rule, result, detail: `a dry run was refused: ${error.message}` };
  }
}
