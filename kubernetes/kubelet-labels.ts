/** Which labels a kubelet may set on its own Node, where the admission plugin NodeRestriction is on. Pure. */

/** No kubelet may set these: "Isolating nodes by label" in Kubernetes' documentation. */
const restricted = 'node-restriction.kubernetes.io';
const kubernetesDomains = ['kubernetes.io', 'k8s.io'];
/** Of Kubernetes' own labels those that a kubelet sets ("NodeRestriction", "Admission Control in Kubernetes"). */
const kubeletLabels: readonly string[] = [
  'kubernetes.io/hostname',
  'kubernetes.io/arch',
  'kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
];
const kubeletDomains = ['kubelet.kubernetes.io', 'node.kubernetes.io'];

/** @returns whether a kubelet may give its own Node this label, or take it away */
export function isSetByKubelets(key: string): boolean {
  const domain = key.includes('/') ? (key.split('/', 1)[0] ?? '') : '';
  if (isWithin(domain, restricted)) return false;
  if (!kubernetesDomains.some((it) => isWithin(domain, it))) return true;
  return kubeletLabels.includes(key) || kubeletDomains.some((it) => isWithin(domain, it));
}

function isWithin(domain: string, parent: string): boolean {
  return domain === parent || domain.endsWith(`.${parent}`);
}
