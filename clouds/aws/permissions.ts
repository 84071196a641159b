/**
 * The IAM actions that the AWS provider calls: all that its role must be allowed, on resource `*`
 * (Describe and Get calls know no other) or, for those that change something, on the pool's addresses and the nodes'
 * interfaces. Each with what it is for.
 */
export const awsPermissions = {
  'ec2:DescribeInstances': "a node's instance and its primary interface",
  'ec2:DescribeAddresses': 'the Elastic IPs of a pool, and who holds them',
  'ec2:AssociateAddress': 'giving an Elastic IP to an interface',
  'ec2:DisassociateAddress': 'taking an Elastic IP from an interface',
} as const;

/** Needed in addition, and only, by IPv6 pools. */
export const awsIpv6Permissions = {
  'ec2:DescribeSubnets': 'the IPv6 block of a subnet, and which subnets have one',
  'ec2:GetSubnetCidrReservations': 'the reserved ranges that are the pool',
  'ec2:DescribeNetworkInterfaces': 'who has an IPv6 address',
  'ec2:AssignIpv6Addresses': 'giving an IPv6 address to an interface',
  'ec2:UnassignIpv6Addresses': 'taking an IPv6 address from an interface',
} as const;

/** An EC2 action that needs a permission. */
export type AwsPermission = keyof typeof awsPermissions | keyof typeof awsIpv6Permissions;

/** Every action that is called. GetCallerIdentity works without any permission. */
export type AwsAction = AwsPermission | 'sts:GetCallerIdentity';
