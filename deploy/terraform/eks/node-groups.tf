# The nodes' role has no permission for addresses: every pod on a node could use it.
resource "aws_iam_role" "nodes" {
  name               = "${var.cluster_name}-nodes"
  assume_role_policy = data.aws_iam_policy_document.trust["nodes"].json
}

resource "aws_iam_role_policy_attachment" "nodes" {
  for_each = toset(["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryPullOnly"])

  role       = aws_iam_role.nodes.name
  policy_arn = "${local.policy_arn}/${each.key}"
}

# A pod that reaches the metadata service could act as its node: one hop is the node itself.
resource "aws_launch_template" "nodes" {
  name_prefix = "${var.cluster_name}-"

  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  # The provider's default tags do not reach what an Auto Scaling group makes.
  dynamic "tag_specifications" {
    for_each = toset(["instance", "network-interface", "volume"])

    content {
      resource_type = tag_specifications.value
      tags          = { environment = var.environment, cluster = var.cluster_name }
    }
  }
}

# Managed node groups have the cluster's security group, which lets in the cluster alone.
resource "aws_vpc_security_group_ingress_rule" "inbound" {
  for_each = { for it in var.inbound_ports : "${it.protocol}-${it.port}-${it.cidr}" => it }

  security_group_id = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
  ip_protocol       = each.value.protocol
  from_port         = each.value.port
  to_port           = each.value.port
  cidr_ipv4         = each.value.cidr
}

resource "aws_eks_node_group" "public" {
  cluster_name    = aws_eks_cluster.this.name
  node_group_name = "public"
  node_role_arn   = aws_iam_role.nodes.arn
  subnet_ids      = aws_subnet.public[*].id
  instance_types  = [var.instance_type]
  labels          = { nodegroup = "public", kubeip = "use" }

  launch_template {
    id      = aws_launch_template.nodes.id
    version = aws_launch_template.nodes.latest_version
  }

  scaling_config {
    desired_size = var.public_nodes
    min_size     = 1
    max_size     = var.public_nodes + 1
  }

  dynamic "taint" {
    for_each = var.taint ? [local.taint_key] : []

    content {
      key    = taint.value
      value  = "true"
      effect = "NO_SCHEDULE"
    }
  }

  # The addresses are released after the nodes that hold them.
  depends_on = [aws_iam_role_policy_attachment.nodes, aws_route.public_ipv4, aws_route_table_association.public, aws_eip.pool]
}

resource "aws_eks_node_group" "private" {
  cluster_name    = aws_eks_cluster.this.name
  node_group_name = "private"
  node_role_arn   = aws_iam_role.nodes.arn
  subnet_ids      = aws_subnet.private[*].id
  instance_types  = [var.instance_type]
  labels          = { nodegroup = "private" }

  launch_template {
    id      = aws_launch_template.nodes.id
    version = aws_launch_template.nodes.latest_version
  }

  scaling_config {
    desired_size = var.private_nodes
    min_size     = 1
    max_size     = var.private_nodes + 1
  }

  depends_on = [aws_iam_role_policy_attachment.nodes, aws_route.private_ipv4, aws_route_table_association.private]
}
