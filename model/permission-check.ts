/** Whether the worker's identity may do something, as far as that can be found out without doing it. */
export interface PermissionCheck {
  /** As the cloud calls it: `ec2:AssociateAddress`, `compute.addresses.use`. */
  readonly permission: string;
  readonly result: PermissionResult;
  /** How it was found out, or why it could not be. */
  readonly detail: string;
}

/** `granted` is never said on anything but the word of whoever decides. */
export type PermissionResult = 'granted' | 'missing' | 'untestable';
