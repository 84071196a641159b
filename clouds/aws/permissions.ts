/**
 * The IAM actions that the AWS provider calls: all that its role must be allowed, on resource `*`
 * (Describe calls know no other) or, for the two that change something, on the pool's addresses and the nodes' interfaces.
 */
export const awsPermissions = [
  'ec2:DescribeInstances',
  'ec2:DescribeAddresses',
  'ec2:AssociateAddress',
  'ec2:DisassociateAddress',
] as const;

/** An EC2 action that needs a permission. */
export type AwsPermission = (typeof awsPermissions)[number];

/** Every action that is called. GetCallerIdentity works without any permission. */
export type AwsAction = AwsPermission | 'sts:GetCallerIdentity';
