variable "project_id" {
  description = "Google Cloud project of everything here."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id must be the id of a project (not its number), such as my-project."
  }
}

variable "region" {
  description = "Region of the cluster and of the addresses."
  type        = string
  default     = "europe-west1"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be a region, such as europe-west1."
  }
}

variable "zones" {
  description = "Zones of the nodes, one letter each. A regional cluster has its control plane in three zones, whatever these are."
  type        = list(string)
  default     = ["b", "c"]

  validation {
    condition     = length(var.zones) > 0 && alltrue([for zone in var.zones : can(regex("^[a-z]$", zone))])
    error_message = "zones must be letters of zones of the region, such as [\"b\", \"c\"]."
  }
}

variable "cluster_name" {
  description = "Name of the cluster, in GKE and in the configuration of kubeip-temporal."
  type        = string
  default     = "kubeip-demo"

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$", var.cluster_name))
    error_message = "cluster_name must have at most 32 lower-case letters, digits and dashes, and begin with a letter."
  }
}

variable "environment" {
  description = "Value of the label `environment` on everything, by which the pool selects its addresses as well."
  type        = string
  default     = "demo"

  validation {
    condition     = can(regex("^[a-z0-9_-]{1,63}$", var.environment))
    error_message = "environment must be a value of a label: at most 63 lower-case letters, digits, underscores and dashes."
  }
}

variable "api_access_cidrs" {
  description = "Who may reach the cluster's API server from the internet: your own ranges."
  type        = list(string)

  validation {
    condition     = length(var.api_access_cidrs) > 0 && alltrue([for cidr in var.api_access_cidrs : can(cidrhost(cidr, 0))])
    error_message = "api_access_cidrs must be IPv4 ranges, such as [\"198.51.100.0/24\"]."
  }
}

variable "machine_type" {
  description = "Machine type of the nodes."
  type        = string
  default     = "e2-medium"
}

variable "public_nodes_per_zone" {
  description = "How many public nodes in each zone, which get a static address each."
  type        = number
  default     = 1

  validation {
    condition     = var.public_nodes_per_zone >= 1 && floor(var.public_nodes_per_zone) == var.public_nodes_per_zone
    error_message = "public_nodes_per_zone must be a whole number from 1."
  }
}

variable "private_nodes_per_zone" {
  description = "How many private nodes in each zone, on which kubeip-temporal itself runs."
  type        = number
  default     = 1

  validation {
    condition     = var.private_nodes_per_zone >= 1 && floor(var.private_nodes_per_zone) == var.private_nodes_per_zone
    error_message = "private_nodes_per_zone must be a whole number from 1."
  }
}

variable "addresses" {
  description = "How many addresses of each family are reserved. One more than public nodes lets a surge upgrade go on. The quota is 8 for a region unless it was raised. A lower number deletes those of the highest index; Compute Engine refuses that for one in use, and the apply fails."
  type        = number
  default     = 3

  validation {
    condition     = var.addresses >= 1 && floor(var.addresses) == var.addresses
    error_message = "addresses must be a whole number from 1."
  }
}

variable "inbound_ports" {
  description = "What may reach the public nodes from outside, such as the port of a game: `[{ protocol = \"udp\", port = 7777, cidr = \"0.0.0.0/0\" }]`. A static address alone opens nothing."
  type        = list(object({ protocol = string, port = number, cidr = string }))
  default     = []

  validation {
    condition     = alltrue([for it in var.inbound_ports : contains(["tcp", "udp"], it.protocol) && can(cidrhost(it.cidr, 0))])
    error_message = "inbound_ports must have tcp or udp as the protocol, and a CIDR block."
  }
}

variable "ipv6_support" {
  description = "Whether public nodes get a static external IPv6 address as well. The cluster's pods stay IPv4 only: theirs would be out of the node's range."
  type        = bool
  default     = false
}

variable "taint" {
  description = "Whether public nodes start with a taint that is lifted once they have their address. It keeps pods away until then."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the cluster. Set it to false and apply before you destroy."
  type        = bool
  default     = true
}

variable "install" {
  description = "Whether to install kubeip-temporal. False: only what it needs; install it yourself with the output `kubeip_config`."
  type        = bool
  default     = true
}

variable "chart" {
  description = "The chart: a folder, or an oci:// address with `chart_version`. Null: that of this repository."
  type        = string
  default     = null
}

variable "chart_version" {
  description = "Version of the chart, if it does not come from a folder."
  type        = string
  default     = null
}

variable "image_repository" {
  description = "Registry and name of the image. Needed with `install`, unless the chart is a released one, which names its own."
  type        = string
  default     = ""

  validation {
    condition     = !var.install || var.image_repository != "" || startswith(coalesce(var.chart, "-"), "oci://")
    error_message = "image_repository must be registry and name of the image that you built, such as registry.example.com/kubeip-temporal; or set chart to the oci:// address of a released chart."
  }
}

variable "image_tag" {
  description = "Tag of the image. Empty: the chart's version of the programs."
  type        = string
  default     = ""
}

variable "temporal_address" {
  description = "Temporal's frontend, `host:port`, as the cluster's pods reach it. Needed with `install`."
  type        = string
  default     = ""

  validation {
    condition     = !var.install || can(regex("^[^:/ ]+:[0-9]+$", var.temporal_address))
    error_message = "temporal_address must be host:port, such as temporal-frontend.temporal.svc:7233. Without a Temporal yet: install = false."
  }
}

variable "temporal_namespace" {
  description = "Temporal namespace; on Temporal Cloud with the account's suffix."
  type        = string
  default     = "default"
}

variable "temporal_api_key_secret" {
  description = "Secret in the namespace kubeip-temporal with the API key of Temporal Cloud under the key `api-key`. The key itself is not for Terraform: it would be in its state. Empty: none."
  type        = string
  default     = ""
}

variable "temporal_tls_secret" {
  description = "Secret of the type `kubernetes.io/tls` in the namespace kubeip-temporal with the client certificate for mTLS. Empty: none. A Temporal namespace takes API keys or certificates, not both."
  type        = string
  default     = ""

  validation {
    condition     = var.temporal_tls_secret == "" || var.temporal_api_key_secret == ""
    error_message = "temporal_tls_secret and temporal_api_key_secret are both set: choose one."
  }
}

variable "temporal_ca_secret" {
  description = "Secret in the namespace kubeip-temporal with the authority of Temporal's certificate under the key `ca.crt`. Empty: a public one."
  type        = string
  default     = ""
}
