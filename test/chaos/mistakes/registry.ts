/** Every mistake that `npm run chaos -- --mistakes` plays, in this order. */
import { allNodesDeleted } from './all-nodes-deleted.ts';
import { emptyCloudLists } from './empty-cloud-lists.ts';
import type { Mistake } from './mistake.ts';
import { poolRemoved } from './pool-removed.ts';
import { regionChanged } from './region-changed.ts';
import { restoredApiServer } from './restored-api-server.ts';
import { secondCluster } from './second-cluster.ts';
import { selectorTypo } from './selector-typo.ts';
import { spoiltKubernetesAnswers } from './spoilt-kubernetes-answers.ts';
import { twoNamespaces } from './two-namespaces.ts';
import { twoNodesOfOneInstance } from './two-nodes-of-one-instance.ts';
import { wrongKubeconfig } from './wrong-kubeconfig.ts';

export const mistakes: readonly Mistake[] = [
  wrongKubeconfig,
  secondCluster,
  selectorTypo,
  poolRemoved,
  regionChanged,
  allNodesDeleted,
  spoiltKubernetesAnswers,
  twoNodesOfOneInstance,
  restoredApiServer,
  emptyCloudLists,
  twoNamespaces,
];
