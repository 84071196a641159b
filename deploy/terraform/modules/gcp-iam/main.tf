# The role of the worker, and no more than it calls: clouds/gcp/permissions.ts, explained in docs/permissions.md. A test compares them.
# All of them, or none: with half of the role an ephemeral address goes, and no static one comes.
locals {
  permissions = [
    "compute.instances.get",
    "compute.instances.addAccessConfig",
    "compute.instances.deleteAccessConfig",
    "compute.addresses.get",
    "compute.addresses.list",
    "compute.addresses.use",
    "compute.subnetworks.useExternalIp",
    "compute.zoneOperations.get",
  ]
  ipv6_permissions = [
    "compute.instances.updateNetworkInterface",
    "compute.subnetworks.use",
  ]

  pool_project = coalesce(var.workload_identity_project_id, var.project_id)
}

data "google_project" "cluster" {
  project_id = local.pool_project
}

resource "google_project_iam_custom_role" "worker" {
  project     = var.project_id
  role_id     = var.role_id
  title       = "kubeip-temporal"
  description = "Gives reserved external addresses to the nodes of a cluster, and takes them back."
  stage       = "GA"
  permissions = concat(local.permissions, var.ipv6 ? local.ipv6_permissions : [])
}

# Workload Identity Federation for GKE: the Kubernetes ServiceAccount itself has the role, without a key and without a Google one.
resource "google_project_iam_member" "worker" {
  project = var.project_id
  role    = google_project_iam_custom_role.worker.id
  member  = "principal://iam.googleapis.com/projects/${data.google_project.cluster.number}/locations/global/workloadIdentityPools/${local.pool_project}.svc.id.goog/subject/ns/${var.namespace}/sa/${var.service_account}"
}
