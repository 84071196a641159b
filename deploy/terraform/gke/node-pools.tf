# The nodes' account may write logs and metrics and pull images, and has no permission for addresses: every pod on a node could use it.
resource "google_service_account" "nodes" {
  account_id   = "${substr(var.cluster_name, 0, 24)}-nodes"
  display_name = "Nodes of ${var.cluster_name}"
}

resource "google_project_iam_member" "nodes" {
  for_each = toset(["roles/container.defaultNodeServiceAccount", "roles/artifactregistry.reader"])

  project = var.project_id
  role    = each.key
  member  = google_service_account.nodes.member
}

resource "google_container_node_pool" "public" {
  name           = "public"
  cluster        = google_container_cluster.this.id
  node_locations = local.zones
  node_count     = var.public_nodes_per_zone

  network_config {
    enable_private_nodes = false
  }

  node_config {
    machine_type    = var.machine_type
    service_account = google_service_account.nodes.email
    oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
    # The provider's default labels do not reach what GKE makes.
    resource_labels = { environment = var.environment, cluster = var.cluster_name }
    labels          = { nodegroup = "public", kubeip = "use" }
    tags            = ["${var.cluster_name}-public"]

    workload_metadata_config {
      mode = "GKE_METADATA"
    }

    dynamic "taint" {
      for_each = var.taint ? [local.taint_key] : []

      content {
        key    = taint.value
        value  = "true"
        effect = "NO_SCHEDULE"
      }
    }
  }

  # Addresses that a node holds cannot be deleted: the nodes are destroyed first.
  depends_on = [google_project_iam_member.nodes, google_compute_address.ipv4, google_compute_address.ipv6]
}

resource "google_container_node_pool" "private" {
  name           = "private"
  cluster        = google_container_cluster.this.id
  node_locations = local.zones
  node_count     = var.private_nodes_per_zone

  network_config {
    enable_private_nodes = true
  }

  node_config {
    machine_type    = var.machine_type
    service_account = google_service_account.nodes.email
    oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
    # The provider's default labels do not reach what GKE makes.
    resource_labels = { environment = var.environment, cluster = var.cluster_name }
    labels          = { nodegroup = "private" }

    workload_metadata_config {
      mode = "GKE_METADATA"
    }
  }

  depends_on = [google_project_iam_member.nodes, google_compute_router_nat.this]
}
