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
const switchable = z.strictObject({ enabled: z.boolean() });

const serviceAccount = z.strictObject({ create: z.boolean(), name: z.string(), annotations: labels });

/** What worker and watcher have in common. */
const program = {
  replicas: count,
  terminationGracePeriodSeconds: z.int().min(1),
  serviceAccount,
  podDisruptionBudget: switchable,
  resources: kubernetesObject,
  nodeOptions: z.string(),
  extraEnv: kubernetesList,
  podLabels: labels,
  podAnnotations: labels,
  priorityClassName: z.string(),
  nodeSelector: labels,
  tolerations: kubernetesList,
  affinity: kubernetesObject,
  topologySpreadConstraints: kubernetesList,
};

const monitor = z.strictObject({
  enabled: z.boolean(),
  labels,
  interval: z.string().regex(/^([0-9]+(ms|s|m|h))*$/),
});

const scaling = { enabled: z.boolean(), minReplicas: z.int().min(1), maxReplicas: z.int().min(1) };

export const valuesSchema = z
  .strictObject({
    /** Values that a parent chart shares; helm adds it to those of every subchart. */
    global: kubernetesObject,
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
    commonLabels: labels,
    podAnnotations: labels,
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
        versioning: z
          .strictObject({ enabled: z.boolean(), deploymentName: z.string(), buildId: z.string() })
          .partial(),
        autoscaling: z
          .strictObject({
            hpa: z.strictObject({ ...scaling, targetCPUUtilizationPercentage: z.int().min(1) }).partial(),
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
        httpsPorts: z.array(z.int().min(1).max(65_535)),
        extraEgress: kubernetesList,
      })
      .partial(),
    monitoring: z
      .strictObject({
        serviceMonitor: monitor.partial(),
        podMonitor: monitor.partial(),
        prometheusRule: z
          .strictObject({ enabled: z.boolean(), labels, runbookUrl: z.string().min(1) })
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
