# What the nodes get. Both labels are in the pool's filter.
resource "google_compute_address" "ipv4" {
  count = var.addresses

  name         = "${var.cluster_name}-node-${count.index}"
  region       = var.region
  address_type = "EXTERNAL"
  labels       = { kubeip = "reserved", environment = var.environment }

  lifecycle {
    # Another name would be another address.
    ignore_changes = [name]
  }
}

# Each a /96 of the subnetwork, for machines (VM), not for load balancers.
resource "google_compute_address" "ipv6" {
  count = var.ipv6_support ? var.addresses : 0

  name               = "${var.cluster_name}-node-ipv6-${count.index}"
  region             = var.region
  subnetwork         = google_compute_subnetwork.nodes.id
  address_type       = "EXTERNAL"
  ip_version         = "IPV6"
  ipv6_endpoint_type = "VM"
  labels             = { kubeip = "reserved", environment = var.environment }

  lifecycle {
    # As above. Another subnetwork still is another address: the range is a part of it.
    ignore_changes = [name]
  }
}
