/** The labels and annotations of this project on Nodes. */
import type { Family } from '../model/address.ts';

const prefix = 'kubeip-temporal.io/';

/** Label: the pool that serves the Node. */
export const poolLabel = `${prefix}pool`;
/** Label: where the Node stands (`assigned`, `waiting`, …), for `kubectl get nodes -L`. */
export const phaseLabel = `${prefix}phase`;

/** Annotations: the static address. Absent while the Node has none. */
export const publicIpv4Annotation = `${prefix}public-ipv4`;
export const publicIpv6Annotation = `${prefix}public-ipv6`;
/** Annotation: the provider's ids of the addresses (EC2 allocation id, name of a GCE address), separated by commas. */
export const addressIdAnnotation = `${prefix}address-id`;
/** Annotation: why the Node has no address. Absent once it has one. */
export const messageAnnotation = `${prefix}message`;

/** Annotations that people write: the one address that the Node is to have, by its IP or by the provider's id. */
export const pinnedAnnotations: Readonly<Record<Family, string>> = {
  ipv4: `${prefix}pinned-ipv4`,
  ipv6: `${prefix}pinned-ipv6`,
};

/** Labels that say the same. A kubelet may not set labels of this prefix, not even on its own Node ("NodeRestriction"). */
export const pinnedLabels: Readonly<Record<Family, string>> = {
  ipv4: 'node-restriction.kubernetes.io/kubeip-pinned-ipv4',
  ipv6: 'node-restriction.kubernetes.io/kubeip-pinned-ipv6',
};

/** Annotation that people write: with each other value that it gets, the Node's workflow tries again at once. */
export const retryAnnotation = `${prefix}retry`;

/** Annotation of an Event: the occurrence that was counted last. */
export const occurrenceAnnotation = `${prefix}occurrence`;

/** Set by the cloud controller manager ("Well-Known Labels, Annotations and Taints"). */
export const regionLabel = 'topology.kubernetes.io/region';
export const zoneLabel = 'topology.kubernetes.io/zone';
