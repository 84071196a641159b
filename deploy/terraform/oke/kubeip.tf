locals {
  namespace       = "kubeip-temporal"
  service_account = "kubeip-temporal-worker"
  taint_key       = "kubeip-temporal.io/no-address"

  # As docs/configuration.md describes it.
  kubeip_config = {
    cluster = var.cluster_name
    pools = [merge(
      {
        name         = "public"
        provider     = "oci"
        account      = var.compartment_id
        region       = var.region
        nodeSelector = { matchLabels = { nodegroup = "public", kubeip = "use" } }
        filter       = "freeformTags.kubeip=reserved;freeformTags.environment=${var.environment}"
      },
      var.taint ? { taintKey = local.taint_key } : {},
    )]
  }
}

module "worker_policy" {
  source    = "../modules/oci-iam"
  providers = { oci = oci.home }

  name                     = "${var.cluster_name}-kubeip"
  cluster_id               = oci_containerengine_cluster.this.id
  addresses_compartment_id = var.compartment_id
  namespace                = local.namespace
  service_account          = local.service_account
}

resource "helm_release" "kubeip" {
  count = var.install ? 1 : 0

  name             = "kubeip-temporal"
  namespace        = local.namespace
  create_namespace = true
  chart            = coalesce(var.chart, "${path.module}/../../helm/kubeip-temporal")
  version          = var.chart_version

  values = [yamlencode({
    config = local.kubeip_config
    image  = { for name, value in { repository = var.image_repository, tag = var.image_tag } : name => value if value != "" }

    imagePullSecrets = [for name in [var.image_pull_secret] : { name = name } if name != ""]

    temporal = {
      address   = var.temporal_address
      namespace = var.temporal_namespace
      apiKey    = { secretName = var.temporal_api_key_secret }
      tls       = { clientSecretName = var.temporal_tls_secret, caSecretName = var.temporal_ca_secret }
    }
    worker = {
      serviceAccount = { name = local.service_account }
      nodeSelector   = { nodegroup = "private" }
      extraEnv       = [{ name = "OCI_CLI_AUTH", value = "oke_workload_identity" }]
      # Workload identity is another port of the API server.
      extraEgress = [{ to = [{ ipBlock = { cidr = local.api_range } }], ports = [{ port = 12250, protocol = "TCP" }] }]
    }
    watcher = { nodeSelector = { nodegroup = "private" } }
  })]

  # With its permissions, its nodes and the addresses before; and gone before them.
  depends_on = [module.worker_policy, oci_containerengine_node_pool.private, oci_core_public_ip.reserved]
}
