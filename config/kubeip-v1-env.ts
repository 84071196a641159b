/** The variables of KubeIP v1, which had one deployment for a cluster on Google Cloud: its users are told what to write instead. */

/** The label by which GKE marks the nodes of a node pool ("Node labels", GKE documentation). */
const NODE_POOL_LABEL = 'cloud.google.com/gke-nodepool';

/** What says the same now, as the end of a sentence. */
const successors: Readonly<Record<string, string>> = {
  KUBEIP_LABELKEY: 'FILTER says which addresses make up the pool',
  KUBEIP_LABELVALUE: 'FILTER says which addresses make up the pool',
  KUBEIP_NODEPOOL: 'NODE_SELECTOR says which nodes are served',
  KUBEIP_ADDITIONALNODEPOOLS: 'NODE_SELECTOR says which nodes are served',
  KUBEIP_ALLNODEPOOLS: 'NODE_SELECTOR says which nodes are served',
  KUBEIP_SELF_NODEPOOL: 'watcher and worker run on nodes of any kind',
  KUBEIP_FORCEASSIGNMENT: 'nodes that are there already are always served',
  KUBEIP_TICKER: 'watcher.reconcileInterval in a configuration file is how often all nodes are looked at',
  KUBEIP_ORDERBYLABELKEY:
    'ORDER_BY takes name or creationTimestamp desc, since Compute Engine sorts by no label',
  KUBEIP_ORDERBYDESC: 'ORDER_BY takes name or creationTimestamp desc',
  KUBEIP_COPYLABELS: 'copyTags in a configuration file copies labels of an address to its Node',
  KUBEIP_CLEARLABELS: 'copyTags in a configuration file copies labels of an address to its Node',
  KUBEIP_DRYRUN: '"kubeip plan" shows what would be done',
};

/** @returns the names of those that are set */
export function kubeipV1Variables(env: NodeJS.ProcessEnv): string[] {
  return Object.keys(successors).filter((name) => env[name]);
}

/** @returns a notice for each that is set */
export function kubeipV1Notices(env: NodeJS.ProcessEnv): string[] {
  return kubeipV1Variables(env).map(
    (name) => `${name} is set but not used: it is KubeIP v1's, and ${successors[name]}.`,
  );
}

/** @returns what to write in place of those that are set, in sentences; undefined if none is */
export function kubeipV1Advice(env: NodeJS.ProcessEnv): string | undefined {
  const names = kubeipV1Variables(env);
  if (names.length === 0) return undefined;
  const list = (text: string | undefined): string[] => (text ?? '').split(/[\s,]+/).filter((it) => it !== '');
  const filter = `FILTER="labels.${env['KUBEIP_LABELKEY'] || 'kubeip'}=${env['KUBEIP_LABELVALUE'] || '<value>'}"`;
  const pools = [...list(env['KUBEIP_NODEPOOL']), ...list(env['KUBEIP_ADDITIONALNODEPOOLS'])];
  const selector =
    pools.length === 0 ? '' : ` and NODE_SELECTOR="${NODE_POOL_LABEL} in (${pools.join(',')})"`;
  return (
    `${names.join(', ')}: ${names.length === 1 ? 'this is a variable' : 'these are variables'} of KubeIP v1. ` +
    `In their place set PROJECT, REGION, ${filter}${selector}.`
  );
}
