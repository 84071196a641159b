# Commit the .terraform.lock.hcl that `terraform init` writes: it holds the providers' checksums.
terraform {
  required_version = ">= 1.9"
  required_providers {
    oci = {
      source  = "oracle/oci"
      version = "~> 7.19"
    }
    helm = {
      source  = "hashicorp/helm"
      version = "~> 3.0"
    }
  }
}

# Credentials are those of the oci command: ~/.oci/config.
provider "oci" {
  region = var.region
}

# Policies are written in the tenancy's home region only.
provider "oci" {
  alias  = "home"
  region = coalesce(var.home_region, var.region)
}

data "oci_containerengine_cluster_kube_config" "this" {
  cluster_id = oci_containerengine_cluster.this.id
}

locals {
  kubeconfig = yamldecode(data.oci_containerengine_cluster_kube_config.this.content)["clusters"][0]["cluster"]
}

provider "helm" {
  kubernetes = {
    host                   = local.kubeconfig["server"]
    cluster_ca_certificate = base64decode(local.kubeconfig["certificate-authority-data"])
    exec = {
      api_version = "client.authentication.k8s.io/v1beta1"
      command     = "oci"
      args        = ["ce", "cluster", "generate-token", "--region", var.region, "--cluster-id", oci_containerengine_cluster.this.id]
    }
  }
}
