# What the nodes get. Both tags are in the pool's filter and in the role's policy: an address without them is out of reach.
resource "aws_eip" "pool" {
  count = var.addresses

  domain = "vpc"

  tags = {
    Name        = "${var.cluster_name}-node-${count.index}"
    kubeip      = "reserved"
    environment = var.environment
  }
}

# Sixteen addresses in each public subnet. EC2 gives none of them away by itself. Terraform cannot tag a reservation, so the pool finds it by its subnet.
resource "aws_ec2_subnet_cidr_reservation" "pool" {
  count = var.ipv6_support ? length(local.zones) : 0

  subnet_id        = aws_subnet.public[count.index].id
  reservation_type = "explicit"
  cidr_block       = cidrsubnet(aws_subnet.public[count.index].ipv6_cidr_block, 60, 4096)
  description      = "Static IPv6 addresses for the nodes of ${var.cluster_name}"
}
