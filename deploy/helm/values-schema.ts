/**
 * The shape of the chart's values. `config` is the configuration file itself, so its part comes from config/schema.ts: what the
 * programs refuse, helm refuses before anything is applied. Rules that join several values are in templates/_checks.tpl.
 */
import { z } from 'zod';
import { toJsonSchema } from '../../config/json-schema.ts';
import { fileSchema } from '../../config/schema.ts';

/** Parts of Kubernetes objects: the API server checks them. */
const kubernetesObject = z.record(z.string(), z.unknown());
const kubernetesList = z.array(kubernetesObject);
const labels = z.record(z.string(), z.string());
const count = z.int().min(0);
/** `IntOrString`: a number of pods, or a percentage. */
const countOrPercent = z.union([count, z.string().regex(/^[0-9]+%$/)]);
const dnsPolicy = z.enum(['', 'ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None']);

/** What every pod may have. */
const pod = {
  podLabels: labels,
  podAnnotations: labels,
  extraEnv: kubernetesList,
  envFrom: kubernetesList,
  extraVolumes: kubernetesList,
  extraVolumeMounts: kubernetesList,
  resources: kubernetesObject,
  priorityClassName: z.string(),
  nodeSelector: labels,
  tolerations: kubernetesList,
  affinity: kubernetesObject,
  dnsPolicy,
  dnsConfig: kubernetesObject,
  hostAliases: kubernetesList,
};

const serviceAccount = z.strictObject({ create: z.boolean(), name: z.string(), annotations: labels });

/** What worker and watcher have in common. */
const program = {
  ...pod,
  replicas: count,
  terminationGracePeriodSeconds: z.int().min(1),
  serviceAccount,
  labels,
  annotations: labels,
  strategy: kubernetesObject,
  podDisruptionBudget: z
    .strictObject({
      enabled: z.boolean(),
      minAvailable: countOrPercent.nullable(),
      maxUnavailable: countOrPercent,
      unhealthyPodEvictionPolicy: z.enum(['AlwaysAllow', 'IfHealthyBudget']),
    })
    .partial(),
  nodeOptions: z.string(),
  initContainers: kubernetesList,
  extraContainers: kubernetesList,
  lifecycle: kubernetesObject,
  startupProbe: kubernetesObject,
  livenessProbe: kubernetesObject,
  readinessProbe: kubernetesObject,
  extraEgress: kubernetesList,
  topologySpreadConstraints: kubernetesList,
};

/** As Prometheus writes a duration. */
const prometheusDuration = z.string().regex(/^([0-9]+(ms|s|m|h))*$/);
const monitor = z.strictObject({
  enabled: z.boolean(),
  labels,
  annotations: labels,
  interval: prometheusDuration,
  scrapeTimeout: prometheusDuration,
  relabelings: kubernetesList,
  metricRelabelings: kubernetesList,
});

/** Rules of egress. */
const reachable = z.strictObject({ ports: z.array(z.int().min(1).max(65_535)), to: kubernetesList });

const scaling = { enabled: z.boolean(), minReplicas: z.int().min(1), maxReplicas: z.int().min(1) };

export const valuesSchema = z
  .strictObject({
    /** Values that a parent chart shares; helm adds it to those of every subchart. */
    global: kubernetesObject,
    /** For a parent chart's `condition`. */
    enabled: z.boolean(),
    // In the chart the cluster cannot come from the environment of a shell.
    config: fileSchema.required({ cluster: true }).meta(fileSchema.meta() ?? {}),
    temporal: z
      .strictObject({
        address: z.string().regex(/^$|^(\[[0-9A-Fa-f:.]+\]|[^\s:/[\]]+):[0-9]{1,5}$/),
        namespace: z.string().min(1),
        registerSearchAttributes: z.boolean(),
        apiKey: z.strictObject({ secretName: z.string(), key: z.string().min(1) }).partial(),
        tls: z
          .strictObject({
            enabled: z.boolean(),
            serverName: z.string(),
            clientSecretName: z.string(),
            caSecretName: z.string(),
            caKey: z.string().min(1),
          })
          .partial(),
      })
      .partial()
      .required({ address: true }),
    image: z
      .strictObject({
        repository: z.string(),
        tag: z.string(),
        digest: z.string().regex(/^(sha256:[0-9a-f]{64})?$/),
        pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']),
      })
      .partial(),
    imagePullSecrets: kubernetesList,
    nameOverride: z.string(),
    fullnameOverride: z.string(),
    namespaceOverride: z.string(),
    commonLabels: labels,
    commonAnnotations: labels,
    podAnnotations: labels,
    configAnnotations: labels,
    revisionHistoryLimit: count,
    hook: z
      .strictObject({
        ...pod,
        enabled: z.boolean(),
        annotations: labels,
        backoffLimit: count,
        activeDeadlineSeconds: z.int().min(1),
      })
      .partial(),
    extraObjects: z.array(z.union([kubernetesObject, z.string()])),
    avoidPoolNodes: z.boolean(),
    rbac: z.strictObject({ create: z.boolean() }).partial(),
    worker: z
      .strictObject({
        ...program,
        serviceAccount: serviceAccount.partial(),
        identity: z
          .strictObject({
            awsRoleArn: z.string().regex(/^(arn:[a-z-]+:iam::[0-9]{12}:role\/\S+)?$/),
            gcpServiceAccount: z.string().regex(/^(\S+@\S+)?$/),
          })
          .partial(),
        versioning: z.strictObject({ enabled: z.boolean(), buildId: z.string() }).partial(),
        autoscaling: z
          .strictObject({
            hpa: z
              .strictObject({
                ...scaling,
                targetCPUUtilizationPercentage: z.int().min(1),
                extraMetrics: kubernetesList,
                behavior: kubernetesObject,
              })
              .partial(),
            keda: z.strictObject({ ...scaling, targetQueueSize: z.int().min(1) }).partial(),
          })
          .partial(),
      })
      .partial(),
    watcher: z.strictObject({ ...program, serviceAccount: serviceAccount.partial() }).partial(),
    podSecurityContext: kubernetesObject,
    securityContext: kubernetesObject,
    networkPolicy: z
      .strictObject({
        enabled: z.boolean(),
        metricsFrom: kubernetesList,
        temporal: z.strictObject({ to: kubernetesList }).partial(),
        kubernetesApi: reachable.partial(),
        cloudApi: reachable.partial(),
        extraEgress: kubernetesList,
      })
      .partial(),
    monitoring: z
      .strictObject({
        serviceMonitor: monitor.partial(),
        podMonitor: monitor.partial(),
        podMonitoring: monitor.omit({ scrapeTimeout: true, relabelings: true }).partial(),
        prometheusRule: z
          .strictObject({ enabled: z.boolean(), labels, annotations: labels, runbookUrl: z.string().min(1) })
          .partial(),
        dashboards: z.strictObject({ enabled: z.boolean(), labels, annotations: labels }).partial(),
      })
      .partial(),
  })
  .partial()
  .required({ config: true, temporal: true });

/** @returns values.schema.json as the text of its file */
export function valuesSchemaText(): string {
  return `${JSON.stringify(toJsonSchema(valuesSchema), null, 2)}\n`;
}
