/** A worker's diagnosis as checks for a person. Pure. */
import { cloudOf } from '../../clouds/registry.ts';
import type { PermissionResult } from '../../model/permission-check.ts';
import type { DiagnoseReport, PoolDiagnosis } from '../../workflows/reports.ts';
import { parseScope } from '../scope-name.ts';

/** `ok`, `problem`: it was looked at. `warning`: it may be meant so. `untested`: it could not be looked at, which is no ok. */
export type Verdict = 'ok' | 'problem' | 'warning' | 'untested';

export interface Check {
  /** What it is about: `temporal`, `kubernetes`, a scope, `pools`. */
  readonly area: string;
  readonly what: string;
  readonly verdict: Verdict;
  readonly detail: string;
}

const verdictOf: Readonly<Record<PermissionResult, Verdict>> = {
  granted: 'ok',
  missing: 'problem',
  untestable: 'untested',
};

/**
 * The watcher runs no workflow code, so nobody can ask it. Its rules are listed as untested, with the command that an administrator
 * may ask with.
 */
export function watcherChecks(
  rules: readonly { readonly verb: string; readonly resource: string; readonly name?: string }[],
): Check[] {
  const account = 'system:serviceaccount:kubeip-temporal:kubeip-temporal-watcher';
  return rules.map(({ verb, resource, name }) => {
    const object = name === undefined ? resource : `${resource}/${name}`;
    return {
      area: 'kubernetes',
      what: `the watcher may ${verb} ${object}`,
      verdict: 'untested',
      detail: `the worker cannot ask for another identity: kubectl auth can-i ${verb} ${object} --as ${account}`,
    };
  });
}

export function diagnosisChecks(report: DiagnoseReport): Check[] {
  return [
    ...report.kubernetes.map(({ verb, resource, name, namespace, result, detail }): Check => ({
      area: 'kubernetes',
      what: `the worker may ${verb} ${resource}${name === undefined ? '' : `/${name}`}${namespace === undefined ? '' : ` in ${namespace}`}`,
      verdict: verdictOf[result],
      detail,
    })),
    ...nodesChecks(report),
    ...report.scopes.flatMap(({ scope, permissions, error }): Check[] => [
      ...permissions.map(({ permission, result, detail }) => ({
        area: scope,
        what: permission,
        verdict: verdictOf[result],
        detail,
      })),
      ...(error === undefined
        ? []
        : [{ area: scope, what: 'permissions', verdict: 'untested' as const, detail: error }]),
    ]),
    ...report.pools.flatMap((pool) => poolChecks(pool, report.nodesError !== undefined)),
  ];
}

/** A Node list that is refused is told by the rule that is missing; here it is only what cannot be counted. */
function nodesChecks({ nodesError, unselected, kubernetes }: DiagnoseReport): Check[] {
  const area = 'pools';
  if (nodesError !== undefined) {
    const isDenied = kubernetes.some(({ verb, result }) => verb === 'list' && result === 'missing');
    const verdict = isDenied ? 'untested' : 'problem';
    return [{ area, what: 'nodes', verdict, detail: nodesError }];
  }
  return unselected === 0
    ? []
    : [{ area, what: 'nodes', verdict: 'warning', detail: `${unselected} nodes are selected by no pool` }];
}

function poolChecks(pool: PoolDiagnosis, nodesUnknown: boolean): Check[] {
  const { name, scope, nodes, sets } = pool;
  const checks = sets.map(({ family, filter, addresses, free, elsewhere = 0, error }): Check => {
    const what = `${name}, ${family}`;
    const area = 'pools';
    if (error !== undefined) {
      // The permission that is missing is named among those of the scope.
      const verdict = /permission ".*" is missing/.test(error) ? 'untested' : 'problem';
      return { area, what, verdict, detail: error };
    }
    if (addresses === 0) {
      const provider = parseScope(scope)?.provider;
      const advice = provider === undefined ? undefined : cloudOf(provider).emptyListAdvice;
      const detail = `no address in ${scope} matches ${filter}${advice === undefined ? '' : `. ${advice}`}`;
      return { area, what, verdict: 'problem', detail };
    }
    const detail = `${addresses} addresses, ${free} of them free`;
    if (elsewhere === 0) return { area, what, verdict: 'ok', detail };
    return {
      area,
      what,
      verdict: 'warning',
      detail:
        `${detail}, ${elsewhere} on machines that are no nodes of this cluster: attached by a person, another cluster or ` +
        'another installation. They are left alone. `kubeip audit` lists them; installations with a Temporal namespace each should have pools of their own',
    };
  });
  checks.push(...selectorChecks(pool));
  if (nodesUnknown) return checks;
  const detail = nodes === 0 ? 'its nodeSelector matches no node' : `its nodeSelector matches ${nodes} nodes`;
  const verdict = nodes === 0 ? 'warning' : 'ok';
  return [...checks, { area: 'pools', what: `${name}, nodes`, verdict, detail }];
}

/** Who has root on one node may have an address of such a pool, and lift the pool's taint. */
function selectorChecks({ name, kubeletLabels }: PoolDiagnosis): Check[] {
  if (kubeletLabels === undefined) return [];
  const detail =
    `a kubelet can set ${kubeletLabels.join(' and ')} on its own Node, and have an address of this pool. Where nodes are not trusted ` +
    'alike, select by a label of node-restriction.kubernetes.io, too';
  return [{ area: 'pools', what: `${name}, nodeSelector`, verdict: 'warning', detail }];
}
