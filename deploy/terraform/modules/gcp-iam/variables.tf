variable "project_id" {
  description = "Project of the nodes and of the reserved addresses."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id must be the id of a project (not its number), such as my-project."
  }
}

variable "role_id" {
  description = "Begin of the ids of the two custom roles. The id of a role that was deleted cannot be used again for some weeks."
  type        = string
  default     = "kubeipTemporal"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.]{3,54}$", var.role_id))
    error_message = "role_id must have 3 to 54 letters, digits, underscores and periods."
  }
}

variable "instance_name_prefix" {
  description = "How the names of the nodes' instances begin, such as `gke-prod-`: the role may change no other instance. Without it the role can take the address of any VM of the project."
  type        = string
  default     = null

  validation {
    condition     = var.instance_name_prefix == null || can(regex("^[a-z][a-z0-9-]*$", var.instance_name_prefix))
    error_message = "instance_name_prefix must be the beginning of an instance's name, such as gke-prod-."
  }
}

variable "cluster_id" {
  description = "Id of the cluster, where it is created in the same run: the workload identity pool must exist before it is bound."
  type        = string
  default     = null
}

variable "ipv6" {
  description = "Whether there are IPv6 pools: an external IPv6 address comes and goes with the stack type of the node's interface."
  type        = bool
  default     = false
}

variable "workload_identity_project_id" {
  description = "Project of the GKE cluster, whose workload identity pool it is. Default: the project of the nodes."
  type        = string
  default     = null
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
