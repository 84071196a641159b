/** What the Worker registers: the workflows by their names. */
export { AddressPoolWorkflow } from './address-pool.ts';
export { AllowlistWorkflow } from './allowlist.ts';
export { AssignIpWorkflow } from './assign-ip/workflow.ts';
export { AuditWorkflow } from './audit.ts';
export { ClusterWorkflow } from './cluster.ts';
export { DiagnoseWorkflow } from './diagnose.ts';
export { PlanWorkflow } from './plan.ts';
