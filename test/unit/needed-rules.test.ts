/** The rules that `kubeip doctor` asks about are those of the shipped roles. */
import { expect, test } from '@jest/globals';
import type { KubernetesObject, V1PolicyRule } from '@kubernetes/client-node';
import { neededRules } from '../../kubernetes/needed-rules.ts';
import { shippedObjects } from '../../sandbox/processes/shipped-accounts.ts';

type Role = KubernetesObject & { readonly rules?: V1PolicyRule[] };

test.each(['worker', 'watcher'] as const)('of the %s', (program) => {
  const roles = (shippedObjects() as Role[]).filter(
    ({ metadata }) => metadata?.name === `kubeip-temporal-${program}`,
  );
  const granted = roles.flatMap(({ kind, metadata, rules = [] }) =>
    rules.flatMap(({ resources = [], resourceNames = [undefined], verbs }) =>
      resources.flatMap((resource) =>
        resourceNames.flatMap((name) =>
          verbs.map((verb) => ({
            verb,
            resource,
            ...(kind === 'Role' ? { namespace: metadata?.namespace } : {}),
            ...(name === undefined ? {} : { name }),
          })),
        ),
      ),
    ),
  );
  expect(granted).toEqual(neededRules[program]);
});
