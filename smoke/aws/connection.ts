/** The way to EC2 for what only the smoke test does. */
import { EC2Client, type Tag, type TagSpecification, type ResourceType } from '@aws-sdk/client-ec2';
import { awsClientConfig, type AwsClientOptions } from '../../clouds/aws/client.ts';
import { toCloudError } from '../../clouds/aws/errors.ts';
import type { AwsAction } from '../../clouds/aws/permissions.ts';
import type { Attempt } from '../question.ts';
import { SMOKE_TAG } from '../cloud.ts';

export interface Ec2Hand {
  readonly client: EC2Client;
  /** @throws CloudError whatever the SDK throws, mapped */
  call<T>(action: string, send: (client: EC2Client) => Promise<T>): Promise<T>;
  /** @returns how it ended, with EC2's own code */
  attempt(action: string, send: (client: EC2Client) => Promise<unknown>): Promise<Attempt>;
}

export function ec2Hand(options: AwsClientOptions): Ec2Hand {
  // There is no workflow that would try again.
  const client = new EC2Client({ ...awsClientConfig(options), maxAttempts: 5 });
  const mapped = (action: string, error: unknown) =>
    toCloudError(error, {
      action: `ec2:${action}` as AwsAction,
      region: options.region,
      endpoint: options.endpoint,
    });
  return {
    client,
    async call(action, send) {
      try {
        return await send(client);
      } catch (error) {
        throw mapped(action, error);
      }
    },
    async attempt(action, send) {
      try {
        return { ok: true, value: await send(client) };
      } catch (error) {
        const { code = 'unknown' } = mapped(action, error);
        const message = error instanceof Error ? error.message : String(error);
        return { ok: false, code, message, at: 'call' };
      }
    },
  };
}

export function tagsOf(run: string, ...types: readonly ResourceType[]): TagSpecification[] {
  const tags: Tag[] = [
    { Key: SMOKE_TAG, Value: run },
    { Key: 'Name', Value: SMOKE_TAG },
  ];
  return types.map((ResourceType) => ({ ResourceType, Tags: tags }));
}

/** @throws Error if EC2 answered without it */
export function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`EC2 answered without ${what}.`);
  return value;
}
