resource "google_container_cluster" "this" {
  name                = var.cluster_name
  location            = var.region
  node_locations      = local.zones
  network             = google_compute_network.this.id
  subnetwork          = google_compute_subnetwork.nodes.id
  deletion_protection = var.deletion_protection

  # The node pools are resources of their own.
  remove_default_node_pool = true
  initial_node_count       = 1

  # Pods are IPv4 only, with or without `ipv6_support`: IPv6 addresses of pods would be out of the range that is replaced.
  ip_allocation_policy {
    stack_type                    = "IPV4"
    cluster_secondary_range_name  = "pods"
    services_secondary_range_name = "services"
  }

  # Gives the worker its role: no Google service account, and no key.
  workload_identity_config {
    workload_pool = "${var.project_id}.svc.id.goog"
  }

  master_authorized_networks_config {
    dynamic "cidr_blocks" {
      for_each = var.api_access_cidrs

      content {
        cidr_block = cidr_blocks.value
      }
    }
  }

  release_channel {
    channel = "REGULAR"
  }

  lifecycle {
    # Of the default pool, which is gone.
    ignore_changes = [initial_node_count]
  }
}

locals {
  zones = [for zone in var.zones : "${var.region}-${zone}"]
}
