# The role of the worker, and no more than it calls: clouds/gcp/permissions.ts, explained in docs/permissions.md. A test compares them.
# All of them, or none: with half of the role an ephemeral address goes, and no static one comes.
locals {
  permissions = [
    "compute.instances.get",
    "compute.instances.list",
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
  granted = concat(local.permissions, var.ipv6 ? local.ipv6_permissions : [])

  # Workload Identity Federation for GKE: the Kubernetes ServiceAccount itself has the roles, without a key and without a Google one.
  member = "principal://iam.googleapis.com/projects/${data.google_project.cluster.number}/locations/global/workloadIdentityPools/${local.pool_project}.svc.id.goog/subject/ns/${var.namespace}/sa/${var.service_account}"

  pool_project = coalesce(var.workload_identity_project_id, var.project_id)
}

# The pool of a cluster that is created beside this module exists only after the cluster: pass `cluster_id`, so that nothing is bound before.
data "google_project" "cluster" {
  project_id = local.pool_project
}

# What changes instances is a role of its own, under a condition on their names: otherwise it could take the address of any VM of the project.
resource "google_project_iam_custom_role" "worker" {
  project     = var.project_id
  role_id     = "${var.role_id}Instances"
  title       = "kubeip-temporal, instances"
  description = "Changes the external addresses of instances. Bind it under a condition on their names."
  stage       = "GA"
  permissions = [for it in local.granted : it if startswith(it, "compute.instances.") && it != "compute.instances.list"]
}

resource "google_project_iam_custom_role" "addresses" {
  project     = var.project_id
  role_id     = "${var.role_id}Addresses"
  title       = "kubeip-temporal, addresses"
  description = "Lists instances and reserved external addresses, and uses these in the project's subnetworks."
  stage       = "GA"
  # No condition on names of instances grants a list.
  permissions = [for it in local.granted : it if !startswith(it, "compute.instances.") || it == "compute.instances.list"]
}

resource "google_project_iam_member" "worker" {
  project = var.project_id
  role    = google_project_iam_custom_role.worker.id
  member  = local.member

  dynamic "condition" {
    for_each = var.instance_name_prefix == null ? [] : [var.instance_name_prefix]

    content {
      title      = "instances ${condition.value}"
      expression = "resource.type == \"compute.googleapis.com/Instance\" && resource.name.extract(\"/instances/{name}\").startsWith(\"${condition.value}\")"
    }
  }

  lifecycle {
    precondition {
      condition     = var.cluster_id == null || length(var.cluster_id) > 0
      error_message = "cluster_id must be the id of the cluster."
    }
  }
}

resource "google_project_iam_member" "addresses" {
  project = var.project_id
  role    = google_project_iam_custom_role.addresses.id
  member  = local.member

  depends_on = [google_project_iam_member.worker]
}
