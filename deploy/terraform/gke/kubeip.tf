locals {
  namespace       = "kubeip-temporal"
  service_account = "kubeip-temporal-worker"
  taint_key       = "kubeip-temporal.io/no-address"

  addresses = { filter = "labels.kubeip=reserved;labels.environment=${var.environment}" }

  # As docs/configuration.md describes it.
  kubeip_config = {
    cluster = var.cluster_name
    pools = [merge(
      {
        name         = "public"
        provider     = "gcp"
        account      = var.project_id
        region       = var.region
        nodeSelector = { matchLabels = { nodegroup = "public", kubeip = "use" } }
        addresses    = merge({ ipv4 = local.addresses }, var.ipv6_support ? { ipv6 = local.addresses } : {})
      },
      var.taint ? { taintKey = local.taint_key } : {},
    )]
  }
}

module "worker_role" {
  source = "../modules/gcp-iam"

  project_id = var.project_id
  role_id    = replace("${var.cluster_name}_kubeip", "-", "_")
  # GKE names instances after cluster and pool.
  instance_name_prefix = "gke-${substr(var.cluster_name, 0, 20)}"
  # Its workload identity pool comes with the cluster.
  cluster_id      = google_container_cluster.this.id
  ipv6            = var.ipv6_support
  namespace       = local.namespace
  service_account = local.service_account
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
    temporal = {
      address   = var.temporal_address
      namespace = var.temporal_namespace
      apiKey    = { secretName = var.temporal_api_key_secret }
      tls       = { clientSecretName = var.temporal_tls_secret, caSecretName = var.temporal_ca_secret }
    }
    worker = {
      serviceAccount = { name = local.service_account }
      nodeSelector   = { nodegroup = "private" }
    }
    watcher = { nodeSelector = { nodegroup = "private" } }
  })]

  # With its permissions, its nodes and the addresses before; and gone before them.
  depends_on = [module.worker_role, google_container_node_pool.private, google_compute_address.ipv4, google_compute_address.ipv6]
}
