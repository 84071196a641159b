locals {
  namespace       = "kubeip-temporal"
  service_account = "kubeip-temporal-worker"
  taint_key       = "kubeip-temporal.io/no-address"

  ipv4 = { filter = "Name=tag:kubeip,Values=reserved;Name=tag:environment,Values=${var.environment}" }
  ipv6 = { filter = "Name=subnet-id,Values=${join(",", aws_subnet.public[*].id)}" }

  # As docs/configuration.md describes it.
  kubeip_config = {
    cluster = var.cluster_name
    pools = [merge(
      {
        name         = "public"
        provider     = "aws"
        region       = var.region
        nodeSelector = { matchLabels = { nodegroup = "public", kubeip = "use" } }
        addresses    = merge({ ipv4 = local.ipv4 }, var.ipv6_support ? { ipv6 = local.ipv6 } : {})
      },
      var.taint ? { taintKey = local.taint_key } : {},
    )]
  }
}

module "worker_role" {
  source = "../modules/aws-iam"

  name            = "${var.cluster_name}-kubeip-worker"
  region          = var.region
  vpc_id          = aws_vpc.this.id
  address_tags    = { kubeip = ["reserved"], environment = [var.environment] }
  instance_tags   = { "kubernetes.io/cluster/${var.cluster_name}" = ["owned"] }
  ipv6_support    = var.ipv6_support
  cluster_name    = aws_eks_cluster.this.name
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

  # With its credentials, its nodes, and the routes to the internet before; and gone before them.
  depends_on = [module.worker_role, aws_eks_addon.pod_identity, aws_eks_node_group.private, aws_eip.pool, aws_ec2_subnet_cidr_reservation.pool]
}
