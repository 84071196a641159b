variable "cluster_id" {
  description = "OCID of the OKE cluster, which must be an enhanced one."
  type        = string

  validation {
    condition     = startswith(var.cluster_id, "ocid1.cluster.")
    error_message = "cluster_id must be the OCID of a cluster, such as ocid1.cluster.oc1.eu-frankfurt-1.aaaa."
  }
}

variable "addresses_compartment_id" {
  description = "OCID of the compartment of the reserved public IPs."
  type        = string

  validation {
    condition     = can(regex("^ocid1\\.(compartment|tenancy)\\.", var.addresses_compartment_id))
    error_message = "addresses_compartment_id must be the OCID of a compartment."
  }
}

variable "nodes_compartment_id" {
  description = "OCID of the compartment of the nodes. Default: that of the addresses."
  type        = string
  default     = null
}

variable "policy_compartment_id" {
  description = "OCID of the compartment that the policy is written into: one that has the other two below it. Default: that of the addresses."
  type        = string
  default     = null
}

variable "name" {
  description = "Name of the policy."
  type        = string
  default     = "kubeip-temporal"
}

variable "namespace" {
  description = "Namespace of the worker's ServiceAccount."
  type        = string
  default     = "kubeip-temporal"
}

variable "service_account" {
  description = "Name of the worker's ServiceAccount in Kubernetes."
  type        = string
  default     = "kubeip-temporal-worker"
}
