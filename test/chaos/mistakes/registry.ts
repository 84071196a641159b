/** Every mistake that `npm run chaos -- --mistakes` plays, in this order. */
import type { Mistake } from './mistake.ts';
import { secondCluster } from './second-cluster.ts';
import { twoNamespaces } from './two-namespaces.ts';
import { wrongKubeconfig } from './wrong-kubeconfig.ts';

export const mistakes: readonly Mistake[] = [wrongKubeconfig, secondCluster, twoNamespaces];
