/**
 * The shape of the configuration file: what each key may hold. Rules that join several keys (a region from the environment,
 * unique names) are in resolve-config.ts. The JSON Schema for editors is generated from this file.
 */
import { z } from 'zod';
import type { Cloud } from '../clouds/cloud.ts';
import { cloudClusterName } from '../clouds/kubernetes-cluster.ts';
import { cloudOf, forEachCloud, providerNames } from '../clouds/registry.ts';
import type { RateLimit } from '../model/settings.ts';
import { defaults } from './defaults.ts';
import { durationAdvice, durationPattern, LONGEST_TIMER, parseDuration } from './duration.ts';

/** Kubernetes' qualified name: an optional DNS prefix and a name ("Labels and Selectors", syntax and character set). */
export const labelKeyPattern =
  /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
/** Kubernetes' label value: empty, or up to 63 characters. */
export const labelValuePattern = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const poolNamePattern = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
/** No slash, which separates the parts of a workflow id; no quote, which would end a string in a visibility query. */
export const clusterNamePattern = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,98}[A-Za-z0-9])?$/;
const integerPattern = /^[+-]?[0-9]+$/;

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof logLevels)[number];
export const logFormats = ['json', 'pretty'] as const;
export type LogFormat = (typeof logFormats)[number];

/** @returns `aws: … gcp: …`, a sentence for each cloud */
const perCloud = (help: (cloud: Cloud) => string) =>
  providerNames.map((name) => `${name}: ${help(cloudOf(name)).replace(/(?<!\.)$/, '.')}`).join(' ');

/** A year: no setting means more, and dates and Temporal's durations end. */
const LONGEST = '8760h';

const duration = (minimumMs: number, minimum: string, maximum = LONGEST) =>
  z
    .string()
    .regex(durationPattern, `is not a duration: ${durationAdvice}`)
    .transform((text) => (durationPattern.test(text) ? parseDuration(text) : 0))
    .refine((milliseconds) => milliseconds >= minimumMs, `must be ${minimum} or more`)
    .refine((milliseconds) => milliseconds <= parseDuration(maximum), `must be ${maximum} or less`);

const labelKey = z
  .string()
  .regex(labelKeyPattern, 'is not a label key: write a name, or prefix/name, such as example.com/pool');
const labelValue = z
  .string()
  .regex(
    labelValuePattern,
    'is not a label value: at most 63 letters, digits, "-", "_" and ".", with a letter or digit at both ends',
  );

const requirement = z.discriminatedUnion('operator', [
  z.strictObject({
    key: labelKey,
    operator: z.enum(['In', 'NotIn']),
    values: z.array(labelValue).min(1, 'needs at least one value with In and NotIn'),
  }),
  z.strictObject({
    key: labelKey,
    operator: z.enum(['Exists', 'DoesNotExist']),
    values: z.array(z.string()).max(0, 'must be left out with Exists and DoesNotExist').optional(),
  }),
  z.strictObject({
    key: labelKey,
    operator: z.enum(['Gt', 'Lt']),
    values: z
      .array(z.string().regex(integerPattern, 'must be an integer in quotes with Gt and Lt, such as "4"'))
      .length(1, 'needs exactly one value with Gt and Lt'),
  }),
]);

const nodeSelector = z
  .strictObject({
    matchLabels: z.record(labelKey, labelValue).optional().meta({
      description:
        'Labels that a node must have, each with its value. true and numbers in quotes: label values are text.',
    }),
    matchExpressions: z
      .array(requirement)
      .optional()
      .meta({
        description:
          'Requirements as in node affinity: key, operator (In, NotIn, Exists, DoesNotExist, Gt, Lt) and values. All must hold. ' +
          'NotIn and DoesNotExist also match nodes without the label; Gt and Lt compare whole numbers.',
      }),
  })
  .meta({
    description: 'The nodes that the pool serves: both parts must hold. {} is every node of the cluster.',
  });

const retries = z
  .strictObject({
    attempts: z
      .int()
      .min(1, 'must be 1 or more')
      // Temporal keeps 32 bits.
      .max(1_000_000, 'must be 1000000 or less')
      .optional()
      .meta({
        description: 'Attempts of a step in all, the first included: at most 1,000,000.',
        default: defaults.pool.retries.attempts,
      }),
    // Temporal's timers end: attempts × interval is one (taintPolicy).
    interval: duration(1, '1ms', '24h').optional().meta({
      description: 'The longest pause between two attempts, at most 24h. The first pauses are shorter.',
      default: defaults.pool.retries.interval,
    }),
  })
  .meta({ description: 'How often a step that failed is tried again.' });

const release = z
  .strictObject({
    onNodeDelete: z.boolean().optional().meta({
      description:
        'Whether the address goes back to its pool when the Node is deleted. false: it stays on the instance.',
      default: defaults.pool.release.onNodeDelete,
    }),
    gracePeriod: duration(0, '0')
      .optional()
      .meta({
        description:
          'How long after its deletion a Node may come back with the same instance and keep its address. It ends early when the cloud ' +
          'says that the instance is terminated.',
        default: defaults.pool.release.gracePeriod,
      }),
    onDeselect: z
      .enum(['keep', 'release'])
      .optional()
      .meta({
        description:
          'When the labels of a Node change so that no pool selects it any more: keep leaves its address until the Node is deleted or ' +
          'an operator releases it; release gives it back. A change of the configuration never releases an address.',
        default: defaults.pool.release.onDeselect,
      }),
  })
  .meta({ description: 'When a node gives its address back.' });

const pins = z
  .enum(['operator', 'annotation'])
  .optional()
  .meta({
    description:
      'Whose word pins a node to an address. operator: kubeip pin, and labels of the prefix node-restriction.kubernetes.io, which a ' +
      'kubelet may not set. annotation: also annotations of the Node, which its kubelet may write.',
    default: defaults.pool.pins,
  });

const nodeIdentity = z
  .strictObject({
    name: z
      .enum(['auto', 'required', 'off'])
      .optional()
      .meta({
        description:
          "The Node's name. auto: refuses a name that can only be another instance's. required: refuses every name that the cloud does " +
          'not give the instance; not for machines with host names of their own. off: names are not compared.',
        default: defaults.pool.nodeIdentity.name,
      }),
    clusterName: z
      .string()
      .regex(
        new RegExp(`^$|${cloudClusterName.source}`),
        'is not the name of a cluster: at most 255 letters, digits, "-", "_", "." and blanks, with a letter or digit first',
      )
      .optional()
      .meta({
        description:
          `The cluster that the instance must belong to, as its cloud calls it. ${perCloud(({ clusterMark }) => `by ${clusterMark.help}`)} ` +
          'An empty one in a pool switches off that of defaults. Default: any.',
      }),
  })
  .meta({
    description:
      'What of a Node is held against the instance that its providerID names. A Node that is another machine gets no address.',
  });

const tagKeys = z.array(z.string().min(1, 'must not be empty'));

const copyTags = z
  .strictObject({
    labels: tagKeys.optional().meta({ description: 'Keys to copy to labels of the Node.' }),
    annotations: tagKeys.optional().meta({ description: 'Keys to copy to annotations of the Node.' }),
    prefix: z.string().optional().meta({
      description: 'What stands before each key on the Node. Empty: nothing.',
      default: defaults.pool.copyTags.prefix,
    }),
  })
  .meta({
    description:
      "Which of an address's tags (aws) or labels (gcp) its Node shows. An empty list in a pool switches off that of defaults.",
  });

const filter = z
  .string()
  .regex(/\S/, 'must not be empty: a pool without a filter would be the whole account')
  .meta({
    description:
      `Which reserved addresses make up the pool. ${perCloud(({ filter }) => filter.help)} ` +
      'Without it the pool would be the whole account.',
  });
const orderBy = z.string().meta({
  description: `Which free address is given first. ${perCloud(({ order }) => order.help)} Empty: the cloud's own order.`,
  default: defaults.pool.orderBy,
});

const addressSet = z.strictObject({ filter, orderBy: orderBy.optional() });

/** In place of a pool's own `filter`. */
const addresses = z
  .strictObject({
    ipv4: addressSet.optional().meta({ description: 'Where the IPv4 address comes from.' }),
    ipv6: addressSet.optional().meta({ description: 'Where the IPv6 address comes from.' }),
  })
  .refine(({ ipv4, ipv6 }) => ipv4 !== undefined || ipv6 !== undefined, 'must hold ipv4, ipv6 or both')
  .meta({
    description:
      'A set of addresses for each family, of which a node gets one each. In place of filter, of family, and of the orderBy of the pool.',
    minProperties: 1,
  });

/** What a pool and the `defaults` block may both say. */
const shared = {
  provider: z
    .enum(providerNames)
    .optional()
    .meta({ description: `The cloud. ${perCloud(({ title }) => title)}`, default: defaults.pool.provider }),
  region: z
    .string()
    .min(1, 'must not be empty')
    .optional()
    .meta({
      description: `Region of the addresses and their nodes. Default: ${providerNames.map((name) => `on ${name} ${cloudOf(name).region.variables.join(', then ')}`).join('; ')}.`,
    }),
  account: z
    .string()
    .min(1, 'must not be empty')
    .optional()
    .meta({
      description: `Whose the addresses are. ${perCloud(({ account }) => account.help)} Default: that of the credentials.`,
    }),
  endpoint: z
    .url({ protocol: /^https?$/, error: 'is not an address such as https://ec2.example.com' })
    .optional()
    .meta({
      description:
        "Another address of the cloud's API. Pools of one account and region share it. On gcp, one with http:// is an emulator's: no " +
        "credentials are sent to it. Default: the cloud's own.",
    }),
  family: z
    .enum(['ipv4', 'ipv6'])
    .optional()
    .meta({ description: 'IP family of the addresses of filter.', default: defaults.pool.family }),
  orderBy: orderBy.optional(),
  require: z.enum(['all', 'any']).optional().meta({
    description:
      'What a node of a pool with two families needs to be assigned, and to lose its taint: both addresses, or one of them.',
    default: defaults.pool.require,
  }),
  priority: z.int().optional().meta({
    description:
      'When addresses are short, nodes of a pool with a higher number are served first; among equals, who has waited longest.',
    default: defaults.pool.priority,
  }),
  retries: retries.optional(),
  release: release.optional(),
  taintKey: z
    .string()
    .regex(
      new RegExp(`^$|${labelKeyPattern.source}`),
      'is not a taint key: write a name, or prefix/name, such as example.com/no-address',
    )
    .optional()
    .meta({
      description:
        'Key of the taint to remove from the Node once it has its address, and shows it (taintWait). An empty one in a pool switches off that of defaults. ' +
        'A kubelet may set most labels of its own Node: one that a pool selects by such labels can have that pool lift this taint. Default: none.',
    }),
  taintPolicy: z
    .enum(['assigned', 'assignedOrGaveUp'])
    .optional()
    .meta({
      description:
        'When the taint goes: once the node has its address, or also once its assignment failed for good, or it has waited ' +
        'for as long as its retries take (attempts × interval), so that Pods can run there without one.',
      default: defaults.pool.taintPolicy,
    }),
  taintWait: duration(0, '0')
    .optional()
    .meta({
      description:
        'How long the taint of a node that has its address waits at most until the status of its Node shows that as ExternalIP, which the ' +
        'cloud controller manager writes every 5 minutes. IPv6 addresses are not waited for: no cloud shows them there. 0s: do not wait.',
      default: defaults.pool.taintWait,
    }),
  pins,
  nodeIdentity: nodeIdentity.optional(),
  copyTags: copyTags.optional(),
};

export const poolSchema = z
  .strictObject({
    name: z
      .string()
      .regex(poolNamePattern, 'is not a pool name: at most 63 letters, digits, "-", "_" and "."')
      .meta({
        description:
          'Unique in the file; up to 63 letters, digits, -, _ and ., since nodes carry it as a label.',
      }),
    nodeSelector,
    filter: filter.optional(),
    addresses: addresses.optional(),
    ...shared,
  })
  // For editors. The programs tell it with the reason: check-pools.ts.
  .meta({
    oneOf: [
      { properties: { filter: {} }, required: ['filter'] },
      { properties: { addresses: {} }, required: ['addresses'] },
    ],
  });

export const defaultsSchema = z.strictObject(shared).optional().meta({
  description:
    'What pools share: any key of a pool but name, nodeSelector, filter and addresses. A pool may say otherwise.',
});

const rateLimit = (preset: RateLimit) =>
  z
    .strictObject({
      burst: z
        .int()
        .min(1, 'must be 1 or more')
        .optional()
        .meta({ description: 'Associations and disassociations at once.', default: preset.burst }),
      perSecond: z
        .number()
        .positive('must be above 0')
        .optional()
        .meta({ description: 'The same, a second, after the burst.', default: preset.perSecond }),
    })
    .optional();

const port = z.int().min(0, 'must be 0 to 65535').max(65_535, 'must be 0 to 65535');

const MAX_POOLS = 1_000;

/** The whole file but for its pools, which are checked one by one so that a bad one hides no other's problems. */
const settings = {
  cluster: z
    .string()
    .regex(clusterNamePattern, 'is not a cluster name: at most 100 letters, digits, "-", "_" and "."')
    .optional()
    .meta({
      description:
        'Name of the cluster, in workflow ids and task queues: up to 100 letters, digits, -, _ and . Clusters that share a ' +
        'Temporal namespace need different names. Required. Default: KUBEIP_CLUSTER, then CLUSTER_NAME.',
    }),
  defaults: defaultsSchema,
  pacing: z
    .strictObject(forEachCloud((cloud) => rateLimit(cloud.pacing)))
    .optional()
    .meta({
      description:
        'How fast addresses are associated and disassociated, for each account and region together. ' +
        providerNames.map((name) => cloudOf(name).pacingHelp).join(' '),
    }),
  watcher: z
    .strictObject({
      reconcileInterval: duration(1_000, '1s', LONGEST_TIMER).optional().meta({
        description: 'How often the watcher compares all nodes with all workflows: 1s to 24h.',
        default: defaults.watcher.reconcileInterval,
      }),
      failureCooldown: z
        .strictObject({
          initialInterval: duration(1_000, '1s').optional().meta({
            description:
              'The first pause for a node whose assignment failed for good. It doubles with each failure in a row. At least 1s.',
            default: defaults.watcher.failureCooldown.initialInterval,
          }),
          maximumInterval: duration(1_000, '1s').optional().meta({
            description: 'The longest such pause. Not below the initial one.',
            default: defaults.watcher.failureCooldown.maximumInterval,
          }),
        })
        .optional()
        .meta({ description: 'How long a node whose assignment failed for good is left alone.' }),
    })
    .optional()
    .meta({ description: 'How the watcher compares, and when it tries again what failed.' }),
  releaseBrake: z
    .strictObject({
      percent: z.number().min(0, 'must be 0 to 100').max(100, 'must be 0 to 100').optional().meta({
        description:
          'Hold releases when more than this share of the nodes with an address is gone. 100 switches the brake off.',
        default: defaults.releaseBrake.percent,
      }),
      minimum: z.int().min(1, 'must be 1 or more').optional().meta({
        description: 'Fewer gone nodes than this are never held.',
        default: defaults.releaseBrake.minimum,
      }),
      window: duration(0, '0').optional().meta({
        description: 'How long a release counts as one of those at the same time.',
        default: defaults.releaseBrake.window,
      }),
    })
    .optional()
    .meta({
      description:
        'A brake on releases. Many Nodes that are gone while their instances run are more likely a mistake than a scale-down: their ' +
        'addresses are held until an operator confirms it (kubeip release --confirm-mass) or the Nodes are back.',
    }),
  audit: z
    .strictObject({
      enabled: z
        .boolean()
        .optional()
        .meta({ description: 'Whether there is an audit.', default: defaults.audit.enabled }),
      interval: duration(1_000, '1s').optional().meta({
        description: 'How often addresses and workflows are compared. At least 1s.',
        default: defaults.audit.interval,
      }),
      drift: z.enum(['heal', 'report']).optional().meta({
        description:
          'A node that lost its address: heal gives it the same again, or another one; report only says so.',
        default: defaults.audit.drift,
      }),
      orphans: z.enum(['release', 'report']).optional().meta({
        description:
          "An address that a node's workflow left behind: release gives it back to its pool; report only says so.",
        default: defaults.audit.orphans,
      }),
    })
    .optional()
    .meta({
      description: 'A Temporal Schedule for each account and region. report for both changes nothing.',
    }),
  worker: z
    .strictObject({
      shutdownGraceTime: duration(0, '0', LONGEST_TIMER).optional().meta({
        description:
          "How long calls under way may take to end when the worker is told to stop. Keep it below the pod's terminationGracePeriodSeconds.",
        default: defaults.worker.shutdownGraceTime,
      }),
      rollbackWindow: duration(0, '0').optional().meta({
        description:
          'How long a change of the workflows waits after all workers have it. Until then the version before can be installed again.',
        default: defaults.worker.rollbackWindow,
      }),
    })
    .optional()
    .meta({ description: 'How the worker ends, and how it is upgraded.' }),
  http: z
    .strictObject({
      host: z
        .string()
        .min(1, 'must not be empty')
        .optional()
        .meta({
          description: `Where /healthz, /readyz and /metrics are served. Default: ${defaults.http.host}; in a pod ${defaults.http.hostInPod}.`,
        }),
      workerPort: port
        .optional()
        .meta({ description: 'Port of the worker. 0: any free one.', default: defaults.http.workerPort }),
      watcherPort: port
        .optional()
        .meta({ description: 'Port of the watcher. 0: any free one.', default: defaults.http.watcherPort }),
    })
    .optional()
    .meta({ description: '/healthz, /readyz and /metrics of the two programs.' }),
  log: z
    .strictObject({
      level: z.enum(logLevels).optional().meta({
        description: 'The least that is logged. The variable LOG_LEVEL takes precedence.',
        default: defaults.log.level,
      }),
      format: z.enum(logFormats).optional().meta({
        description: 'json, or pretty for people. The variable LOG_JSON takes precedence.',
        default: defaults.log.format,
      }),
    })
    .optional()
    .meta({ description: 'What the programs write to standard output.' }),
};

/** A name from the environment has been put in by now: the cluster must have one. */
export const settingsSchema = z.strictObject({
  ...settings,
  cluster: settings.cluster.unwrap(),
  pools: z.unknown().optional(),
});

const poolsDescription =
  'Sets of addresses and the nodes they are for; at least one. A node belongs to the first whose selector matches it; one that none ' +
  'matches is left alone.';
export const poolsSchema = z
  .array(z.unknown())
  .min(1, 'must hold at least one pool')
  .max(MAX_POOLS, `must hold at most ${MAX_POOLS} pools`)
  .meta({ description: poolsDescription });

/** The file in full: what the JSON Schema is made from. */
export const fileSchema = z
  .strictObject({
    ...settings,
    pools: z.array(poolSchema).min(1).max(MAX_POOLS).meta({ description: poolsDescription }),
  })
  .meta({
    title: 'kubeip-temporal configuration',
    description: 'Which nodes get their static public address from which pool.',
  });

export type PoolInput = z.output<typeof poolSchema>;
export type DefaultsInput = NonNullable<z.output<typeof defaultsSchema>>;
export type SettingsInput = z.output<typeof settingsSchema>;
