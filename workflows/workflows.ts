/** What the Worker registers: the workflows by their names, and by which version of the workers each is carried out. */
import { setWorkflowOptions, workflowInfo } from '@temporalio/workflow';
import { AddressPoolWorkflow } from './address-pool.ts';
import { AllowlistWorkflow } from './allowlist.ts';
import { AssignIpWorkflow } from './assign-ip/workflow.ts';
import { AuditWorkflow } from './audit.ts';
import { ClusterWorkflow } from './cluster.ts';
import { DiagnoseWorkflow } from './diagnose.ts';
import { PlanWorkflow } from './plan.ts';

/**
 * These end within minutes: the version that began one carries it out to its end. The server refuses what says so of an unversioned
 * worker, which has a build id and no deployment. The others have the behavior of their task queue (worker/deployment-version.ts).
 */
for (const workflow of [AllowlistWorkflow, AuditWorkflow, DiagnoseWorkflow, PlanWorkflow] as const) {
  setWorkflowOptions(
    () => (workflowInfo().currentDeploymentVersion?.deploymentName ? { versioningBehavior: 'PINNED' } : {}),
    workflow as () => Promise<unknown>,
  );
}

export {
  AddressPoolWorkflow,
  AllowlistWorkflow,
  AssignIpWorkflow,
  AuditWorkflow,
  ClusterWorkflow,
  DiagnoseWorkflow,
  PlanWorkflow,
};
