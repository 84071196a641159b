variable "compartment_id" {
  description = "OCID of the compartment of everything here."
  type        = string

  validation {
    condition     = can(regex("^ocid1\\.(compartment|tenancy)\\.", var.compartment_id))
    error_message = "compartment_id must be the OCID of a compartment, such as ocid1.compartment.oc1..aaaa."
  }
}

variable "region" {
  description = "Region of the cluster and of the addresses."
  type        = string
  default     = "eu-frankfurt-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+){1,2}-[0-9]$", var.region))
    error_message = "region must be a region, such as eu-frankfurt-1."
  }
}

variable "home_region" {
  description = "Home region of the tenancy, where policies are written. Null: the same."
  type        = string
  default     = null
}

variable "cluster_name" {
  description = "Name of the cluster, in OKE and in the configuration of kubeip-temporal."
  type        = string
  default     = "kubeip-demo"

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$", var.cluster_name))
    error_message = "cluster_name must have at most 32 lower-case letters, digits and dashes, and begin with a letter."
  }
}

variable "kubernetes_version" {
  description = "Version of the cluster and its nodes, such as v1.34.1: one of `oci ce cluster-options get --cluster-option-id all`."
  type        = string

  validation {
    condition     = can(regex("^v1[.][0-9]+[.][0-9]+$", var.kubernetes_version))
    error_message = "kubernetes_version must be a version that OKE has, such as v1.34.1."
  }
}

variable "environment" {
  description = "Value of the freeform tag `environment` on everything, by which the pool selects its addresses as well."
  type        = string
  default     = "demo"

  validation {
    condition     = can(regex("^[a-z0-9_-]{1,63}$", var.environment))
    error_message = "environment must have at most 63 lower-case letters, digits, underscores and dashes."
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

variable "node_shape" {
  description = "Shape of the nodes: a flexible one for x86."
  type        = string
  default     = "VM.Standard.E4.Flex"
}

variable "node_ocpus" {
  description = "OCPUs of each node."
  type        = number
  default     = 1
}

variable "node_memory_gb" {
  description = "Memory of each node, in GB."
  type        = number
  default     = 8
}

variable "public_nodes" {
  description = "How many public nodes, which get a static address each. They are spread over the availability domains."
  type        = number
  default     = 2

  validation {
    condition     = var.public_nodes >= 1 && floor(var.public_nodes) == var.public_nodes
    error_message = "public_nodes must be a whole number from 1."
  }
}

variable "private_nodes" {
  description = "How many private nodes, on which kubeip-temporal itself runs."
  type        = number
  default     = 2

  validation {
    condition     = var.private_nodes >= 1 && floor(var.private_nodes) == var.private_nodes
    error_message = "private_nodes must be a whole number from 1."
  }
}

variable "addresses" {
  description = "How many addresses are reserved. One more than public nodes lets an upgrade with a surge go on. A lower number deletes those of the highest index, also while nodes use them."
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

variable "taint" {
  description = "Whether public nodes start with a taint that is lifted once they have their address. It keeps pods away until then."
  type        = bool
  default     = false
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

variable "image_pull_secret" {
  description = "Secret in the namespace kubeip-temporal with which the image is pulled from a private registry. Empty: none."
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
