/** How many requests kube-apiserver has answered, by its own metrics. */
import { get } from 'node:https';
import type { KubernetesServer } from '../sandbox/processes/kubernetes.ts';

/** @returns by verb and resource, as `LIST nodes`: those of Nodes and Events, which are all that the programs ask for */
export async function apiRequests({ url, kubeConfig }: KubernetesServer): Promise<Map<string, number>> {
  const ca = Buffer.from(kubeConfig.getCurrentCluster()?.caData ?? '', 'base64');
  const headers = { authorization: `Bearer ${kubeConfig.getCurrentUser()?.token ?? ''}` };
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  get(`${url}/metrics`, { ca, headers }, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (part: string) => (text += part));
    response.on('end', () => resolve(text));
  }).on('error', reject);
  const counts = new Map<string, number>();
  for (const [, labels = '', value] of (await promise).matchAll(
    /^apiserver_request_total\{([^}]*)\} (\S+)$/gm,
  )) {
    const resource = /resource="(nodes|events)"/.exec(labels)?.[1];
    const verb = /verb="(\w+)"/.exec(labels)?.[1];
    if (resource === undefined || verb === undefined) continue;
    const name = `${verb} ${resource}`;
    counts.set(name, (counts.get(name) ?? 0) + Number(value));
  }
  return counts;
}

/** @returns what was added, what has not changed left out */
export function requestsSince(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): Record<string, number> {
  const added = [...after].map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const);
  return Object.fromEntries(added.filter(([, value]) => value !== 0));
}
