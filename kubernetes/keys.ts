/** The labels and annotations that this project writes on Nodes. */

const prefix = 'kubeip-temporal.io/';

/** Label: the pool that serves the Node. */
export const poolLabel = `${prefix}pool`;
/** Label: where the Node stands (`assigned`, `waiting`, …), for `kubectl get nodes -L`. */
export const phaseLabel = `${prefix}phase`;

/** Annotations: the static address. Absent while the Node has none. */
export const publicIpv4Annotation = `${prefix}public-ipv4`;
export const publicIpv6Annotation = `${prefix}public-ipv6`;
/** Annotation: the provider's id of the address (EC2 allocation id). */
export const addressIdAnnotation = `${prefix}address-id`;
/** Annotation: why the Node has no address. Absent once it has one. */
export const messageAnnotation = `${prefix}message`;

/** Set by the cloud controller manager ("Well-Known Labels, Annotations and Taints"). */
export const regionLabel = 'topology.kubernetes.io/region';
export const zoneLabel = 'topology.kubernetes.io/zone';
