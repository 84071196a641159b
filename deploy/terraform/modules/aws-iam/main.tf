# The role of the worker, and no more than it calls: clouds/aws/permissions.ts, explained in docs/permissions.md. A test compares them.
data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  ec2_arn = "arn:${data.aws_partition.current.partition}:ec2:${var.region}:${data.aws_caller_identity.current.account_id}"
  # A VPC's ARN has the account of its owner, the interfaces in a shared one that of their own.
  vpc_owner = coalesce(var.vpc_owner_id, data.aws_caller_identity.current.account_id)
  vpc_arn   = "arn:${data.aws_partition.current.partition}:ec2:${var.region}:${local.vpc_owner}:vpc/${var.vpc_id}"

  # Of an ARN `…:oidc-provider/<issuer>`.
  oidc_issuer = var.trust == "irsa" ? split(":oidc-provider/", var.oidc_provider_arn)[1] : ""
}

data "aws_iam_policy_document" "permissions" {
  statement {
    sid       = "Look"
    actions   = ["ec2:DescribeInstances", "ec2:DescribeAddresses"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "ec2:Region"
      values   = [var.region]
    }
  }

  statement {
    sid       = "AddressesOfPools"
    actions   = ["ec2:AssociateAddress", "ec2:DisassociateAddress"]
    resources = ["${local.ec2_arn}:elastic-ip/*"]

    dynamic "condition" {
      for_each = var.address_tags

      content {
        test     = "StringEquals"
        variable = "aws:ResourceTag/${condition.key}"
        values   = condition.value
      }
    }
  }

  statement {
    sid       = "InterfacesOfTheCluster"
    actions   = ["ec2:AssociateAddress", "ec2:DisassociateAddress"]
    resources = ["${local.ec2_arn}:network-interface/*"]

    condition {
      test     = "ArnEquals"
      variable = "ec2:Vpc"
      values   = [local.vpc_arn]
    }
  }

  statement {
    sid       = "InstancesOfTheCluster"
    actions   = ["ec2:AssociateAddress"]
    resources = ["${local.ec2_arn}:instance/*"]

    dynamic "condition" {
      for_each = var.instance_tags

      content {
        test     = "StringEquals"
        variable = "aws:ResourceTag/${condition.key}"
        values   = condition.value
      }
    }
  }
}

# IPv6 pools need these in addition; IPv4 pools need none of them.
data "aws_iam_policy_document" "ipv6_permissions" {
  statement {
    sid       = "LookAtSubnets"
    actions   = ["ec2:DescribeSubnets", "ec2:GetSubnetCidrReservations", "ec2:DescribeNetworkInterfaces"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "ec2:Region"
      values   = [var.region]
    }
  }

  statement {
    sid       = "Ipv6OnInterfacesOfTheCluster"
    actions   = ["ec2:AssignIpv6Addresses", "ec2:UnassignIpv6Addresses"]
    resources = ["${local.ec2_arn}:network-interface/*"]

    condition {
      test     = "ArnEquals"
      variable = "ec2:Vpc"
      values   = [local.vpc_arn]
    }
  }
}

data "aws_iam_policy_document" "trust_pod_identity" {
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com"]
    }

    # The session tags that EKS Pod Identity adds ("Enable or disable session tags", Amazon EKS User Guide).
    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/kubernetes-namespace"
      values   = [var.namespace]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/kubernetes-service-account"
      values   = [var.service_account]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:RequestTag/eks-cluster-arn"
      values   = ["arn:${data.aws_partition.current.partition}:eks:${var.region}:${data.aws_caller_identity.current.account_id}:cluster/${coalesce(var.cluster_name, "none")}"]
    }
  }
}

data "aws_iam_policy_document" "trust_irsa" {
  count = var.trust == "irsa" ? 1 : 0

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [var.oidc_provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.oidc_issuer}:sub"
      values   = ["system:serviceaccount:${var.namespace}:${var.service_account}"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.oidc_issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "worker" {
  name               = var.name
  description        = "Worker of kubeip-temporal: static public addresses for nodes"
  assume_role_policy = var.trust == "irsa" ? data.aws_iam_policy_document.trust_irsa[0].json : data.aws_iam_policy_document.trust_pod_identity.json
  tags               = var.tags
}

resource "aws_iam_role_policy" "ipv4" {
  name   = "addresses"
  role   = aws_iam_role.worker.id
  policy = data.aws_iam_policy_document.permissions.json
}

resource "aws_iam_role_policy" "ipv6" {
  count = var.ipv6_support ? 1 : 0

  name   = "ipv6-addresses"
  role   = aws_iam_role.worker.id
  policy = data.aws_iam_policy_document.ipv6_permissions.json
}

resource "aws_eks_pod_identity_association" "worker" {
  count = var.trust == "pod-identity" ? 1 : 0

  cluster_name    = var.cluster_name
  namespace       = var.namespace
  service_account = var.service_account
  role_arn        = aws_iam_role.worker.arn
  tags            = var.tags
}
