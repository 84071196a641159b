locals {
  tags = { environment = var.environment, cluster = var.cluster_name }

  network   = "10.0.0.0/16"
  api_range = cidrsubnet(local.network, 12, 0)
  # Of public and private nodes.
  nodes_range = cidrsubnet(local.network, 3, 1)
}

resource "oci_core_vcn" "this" {
  compartment_id = var.compartment_id
  display_name   = var.cluster_name
  cidr_blocks    = [local.network]
  freeform_tags  = local.tags
}

resource "oci_core_internet_gateway" "this" {
  compartment_id = var.compartment_id
  display_name   = var.cluster_name
  vcn_id         = oci_core_vcn.this.id
  freeform_tags  = local.tags
}

# The private nodes' way out: to Temporal, to the image registry. The public ones have their own addresses.
resource "oci_core_nat_gateway" "this" {
  compartment_id = var.compartment_id
  display_name   = var.cluster_name
  vcn_id         = oci_core_vcn.this.id
  freeform_tags  = local.tags
}

resource "oci_core_route_table" "public" {
  compartment_id = var.compartment_id
  display_name   = "${var.cluster_name}-public"
  vcn_id         = oci_core_vcn.this.id
  freeform_tags  = local.tags

  route_rules {
    destination       = "0.0.0.0/0"
    network_entity_id = oci_core_internet_gateway.this.id
  }
}

resource "oci_core_route_table" "private" {
  compartment_id = var.compartment_id
  display_name   = "${var.cluster_name}-private"
  vcn_id         = oci_core_vcn.this.id
  freeform_tags  = local.tags

  route_rules {
    destination       = "0.0.0.0/0"
    network_entity_id = oci_core_nat_gateway.this.id
  }
}

# The API server. Port 12250 is that of workload identity and of the nodes' proxymux.
resource "oci_core_security_list" "api" {
  compartment_id = var.compartment_id
  display_name   = "${var.cluster_name}-api"
  vcn_id         = oci_core_vcn.this.id
  freeform_tags  = local.tags

  dynamic "ingress_security_rules" {
    for_each = toset(concat(var.api_access_cidrs, [local.nodes_range]))

    content {
      protocol = local.tcp
      source   = ingress_security_rules.value

      tcp_options {
        min = 6443
        max = 6443
      }
    }
  }

  ingress_security_rules {
    protocol = local.tcp
    source   = local.nodes_range

    tcp_options {
      min = 12250
      max = 12250
    }
  }

  # Path MTU discovery.
  ingress_security_rules {
    protocol = local.icmp
    source   = local.nodes_range

    icmp_options {
      type = 3
      code = 4
    }
  }

  egress_security_rules {
    protocol    = "all"
    destination = "0.0.0.0/0"
  }
}

# A static address alone opens nothing: only what is named here comes in.
resource "oci_core_security_list" "nodes" {
  compartment_id = var.compartment_id
  display_name   = "${var.cluster_name}-nodes"
  vcn_id         = oci_core_vcn.this.id
  freeform_tags  = local.tags

  dynamic "ingress_security_rules" {
    for_each = toset([local.nodes_range, local.api_range])

    content {
      protocol = "all"
      source   = ingress_security_rules.value
    }
  }

  ingress_security_rules {
    protocol = local.icmp
    source   = "0.0.0.0/0"

    icmp_options {
      type = 3
      code = 4
    }
  }

  egress_security_rules {
    protocol    = "all"
    destination = "0.0.0.0/0"
  }
}

resource "oci_core_security_list" "inbound" {
  compartment_id = var.compartment_id
  display_name   = "${var.cluster_name}-inbound"
  vcn_id         = oci_core_vcn.this.id
  freeform_tags  = local.tags

  dynamic "ingress_security_rules" {
    for_each = [for it in var.inbound_ports : it if it.protocol == "tcp"]

    content {
      protocol = local.tcp
      source   = ingress_security_rules.value.cidr

      tcp_options {
        min = ingress_security_rules.value.port
        max = ingress_security_rules.value.port
      }
    }
  }

  dynamic "ingress_security_rules" {
    for_each = [for it in var.inbound_ports : it if it.protocol == "udp"]

    content {
      protocol = local.udp
      source   = ingress_security_rules.value.cidr

      udp_options {
        min = ingress_security_rules.value.port
        max = ingress_security_rules.value.port
      }
    }
  }
}

# Numbers of protocols, as IANA has them.
locals {
  icmp = "1"
  tcp  = "6"
  udp  = "17"
}

resource "oci_core_subnet" "api" {
  compartment_id    = var.compartment_id
  display_name      = "${var.cluster_name}-api"
  vcn_id            = oci_core_vcn.this.id
  cidr_block        = local.api_range
  route_table_id    = oci_core_route_table.public.id
  security_list_ids = [oci_core_security_list.api.id]
  freeform_tags     = local.tags
}

# Nodes start with an ephemeral public IP here; a subnet that prohibits public IPs has no static ones either.
resource "oci_core_subnet" "public" {
  compartment_id             = var.compartment_id
  display_name               = "${var.cluster_name}-public"
  vcn_id                     = oci_core_vcn.this.id
  cidr_block                 = cidrsubnet(local.nodes_range, 1, 0)
  route_table_id             = oci_core_route_table.public.id
  security_list_ids          = [oci_core_security_list.nodes.id, oci_core_security_list.inbound.id]
  prohibit_public_ip_on_vnic = false
  freeform_tags              = local.tags
}

resource "oci_core_subnet" "private" {
  compartment_id             = var.compartment_id
  display_name               = "${var.cluster_name}-private"
  vcn_id                     = oci_core_vcn.this.id
  cidr_block                 = cidrsubnet(local.nodes_range, 1, 1)
  route_table_id             = oci_core_route_table.private.id
  security_list_ids          = [oci_core_security_list.nodes.id]
  prohibit_public_ip_on_vnic = true
  freeform_tags              = local.tags
}
