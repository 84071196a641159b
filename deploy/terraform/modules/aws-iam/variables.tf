variable "name" {
  description = "Name of the role."
  type        = string
  default     = "kubeip-temporal-worker"

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.name))
    error_message = "name must be a name of an IAM role: at most 64 letters, digits and +=,.@_-."
  }
}

variable "region" {
  description = "Region of the cluster and of the addresses: the role may do nothing elsewhere."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2,}(-[a-z]+)+-[0-9]+$", var.region))
    error_message = "region must be a region, such as eu-west-1."
  }
}

variable "vpc_id" {
  description = "VPC of the nodes. The role may change the interfaces of this VPC only."
  type        = string

  validation {
    condition     = can(regex("^vpc-[0-9a-f]{8,17}$", var.vpc_id))
    error_message = "vpc_id must be the id of a VPC, such as vpc-0123456789abcdef0."
  }
}

variable "vpc_owner_id" {
  description = "Account that owns the VPC, where it is shared with this account (AWS RAM). Null: this account."
  type        = string
  default     = null

  validation {
    condition     = var.vpc_owner_id == null || can(regex("^[0-9]{12}$", var.vpc_owner_id))
    error_message = "vpc_owner_id must be the id of an account, twelve digits in quotes."
  }
}

variable "address_tags" {
  description = "Tags of the Elastic IPs that the role may associate, each with the values that will do. They must be those that the pools' filters ask for."
  type        = map(list(string))
  default     = { kubeip = ["reserved"] }

  validation {
    condition     = length(var.address_tags) > 0 && alltrue([for values in var.address_tags : length(values) > 0])
    error_message = "address_tags must have a tag, and each at least one value: without any, the role could touch every address of the account."
  }
}

variable "instance_tags" {
  description = "Tags of the instances that the role may associate addresses with, each with the values that will do: `{ \"kubernetes.io/cluster/prod\" = [\"owned\"] }`. Empty: those of every instance whose interface is in the VPC."
  type        = map(list(string))
  default     = {}
}

variable "ipv6_support" {
  description = "Whether pools have IPv6 addresses (CIDR reservations) as well."
  type        = bool
  default     = false
}

variable "trust" {
  description = "How the worker gets the role: `pod-identity` (EKS Pod Identity) or `irsa` (the cluster's OIDC provider)."
  type        = string
  default     = "pod-identity"

  validation {
    condition     = contains(["pod-identity", "irsa"], var.trust)
    error_message = "trust must be pod-identity or irsa."
  }
}

variable "cluster_name" {
  description = "Name of the EKS cluster. Required for `pod-identity`, whose association is made here."
  type        = string
  default     = null

  validation {
    condition     = var.trust != "pod-identity" || var.cluster_name != null
    error_message = "cluster_name is required with trust = \"pod-identity\"."
  }
}

variable "oidc_provider_arn" {
  description = "ARN of the cluster's IAM OIDC provider. Required for `irsa`."
  type        = string
  default     = null

  validation {
    condition     = var.trust != "irsa" || can(regex("^arn:[^:]+:iam::[0-9]{12}:oidc-provider/", var.oidc_provider_arn))
    error_message = "oidc_provider_arn is required with trust = \"irsa\", such as arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/…."
  }
}

variable "namespace" {
  description = "Namespace of the worker's ServiceAccount."
  type        = string
  default     = "kubeip-temporal"
}

variable "service_account" {
  description = "Name of the worker's ServiceAccount."
  type        = string
  default     = "kubeip-temporal-worker"
}

variable "tags" {
  description = "Tags of what is made here."
  type        = map(string)
  default     = {}
}
