resource "google_project_service" "used" {
  for_each = toset(["compute.googleapis.com", "container.googleapis.com", "iam.googleapis.com"])

  project            = var.project_id
  service            = each.key
  disable_on_destroy = false
}

resource "google_compute_network" "this" {
  name                    = var.cluster_name
  auto_create_subnetworks = false

  depends_on = [google_project_service.used]
}

# A static address alone opens nothing: GKE lets in its own traffic.
resource "google_compute_firewall" "inbound" {
  for_each = { for it in var.inbound_ports : "${it.protocol}-${it.port}-${replace(it.cidr, "/[.:\\/]/", "-")}" => it }

  name          = "${var.cluster_name}-${each.key}"
  network       = google_compute_network.this.id
  source_ranges = [each.value.cidr]
  target_tags   = ["${var.cluster_name}-public"]

  allow {
    protocol = each.value.protocol
    ports    = [each.value.port]
  }
}

resource "google_compute_subnetwork" "nodes" {
  name                     = "${var.cluster_name}-nodes"
  network                  = google_compute_network.this.id
  region                   = var.region
  ip_cidr_range            = "10.0.0.0/20"
  private_ip_google_access = true
  # The access type is chosen once: a subnetwork cannot change it later.
  stack_type       = var.ipv6_support ? "IPV4_IPV6" : "IPV4_ONLY"
  ipv6_access_type = var.ipv6_support ? "EXTERNAL" : null

  secondary_ip_range {
    range_name    = "pods"
    ip_cidr_range = "10.16.0.0/14"
  }

  secondary_ip_range {
    range_name    = "services"
    ip_cidr_range = "10.20.0.0/20"
  }
}

# The private nodes' way out: to Temporal, to the image registry. The public ones have their own addresses.
resource "google_compute_router" "this" {
  name    = var.cluster_name
  network = google_compute_network.this.id
  region  = var.region
}

resource "google_compute_router_nat" "this" {
  name                               = var.cluster_name
  router                             = google_compute_router.this.name
  region                             = var.region
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"
}
