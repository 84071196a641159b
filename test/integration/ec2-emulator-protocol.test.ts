import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { startEc2Emulator, type Ec2Emulator } from '../../sandbox/ec2/emulator.ts';

let emulator: Ec2Emulator;

beforeAll(async () => {
  emulator = await startEc2Emulator({ accountId: '210987654321' });
});

afterAll(() => emulator.close());

const signature = `AWS4-HMAC-SHA256 Credential=k/20260101/eu-west-1/ec2/aws4_request, SignedHeaders=host, Signature=${'0'.repeat(64)}`;

const post = async (form: Record<string, string>, authorization: string | undefined = signature) => {
  const answer = await fetch(emulator.url, {
    method: 'POST',
    body: new URLSearchParams({ Version: '2016-11-15', ...form }),
    headers: authorization === '' ? {} : { authorization },
  });
  return { status: answer.status, text: await answer.text() };
};

const errorOf = async (answer: Promise<{ status: number; text: string }>): Promise<string> => {
  const { status, text } = await answer;
  return `${status} ${/<Code>(.*)<\/Code>/.exec(text)?.[1] ?? text}`;
};

describe('the Query protocol', () => {
  test('has the XML of EC2: a namespace, a request id, empty lists as empty elements', async () => {
    const { status, text } = await post({ Action: 'DescribeAddresses' });
    expect(status).toBe(200);
    expect(text).toMatch(
      /^<\?xml version="1.0" encoding="UTF-8"\?>\n<DescribeAddressesResponse xmlns="http:\/\/ec2.amazonaws.com\/doc\/2016-11-15\/"><requestId>[0-9a-f-]{36}<\/requestId><addressesSet\/><\/DescribeAddressesResponse>$/,
    );
  });

  test('has the errors of EC2 in XML', async () => {
    const { text } = await post({ Action: 'AssociateAddress' });
    expect(text).toMatch(
      /<Response><Errors><Error><Code>MissingParameter<\/Code><Message>The request must contain the parameter AllocationId<\/Message><\/Error><\/Errors><RequestID>[0-9a-f-]{36}<\/RequestID><\/Response>$/,
    );
  });

  test('answers an error to what it does not know, never silence', async () => {
    expect(await errorOf(post({ Action: 'DescribeVolumes' }))).toBe('400 InvalidAction');
    expect(await errorOf(post({ Action: 'toString' }))).toBe('400 InvalidAction');
    expect(await errorOf(post({}))).toBe('400 MissingAction');
    expect(await errorOf(post({ Action: 'DescribeAddresses', Version: '2000-01-01' }))).toBe(
      '400 NoSuchVersion',
    );
    expect(await errorOf(post({ Action: 'DescribeAddresses', MaxResults: '5' }))).toBe(
      '400 UnknownParameter',
    );
    expect(await errorOf(post({ Action: 'DescribeAddresses', DryRun: 'maybe' }))).toBe(
      '400 InvalidParameterValue',
    );
    expect(await errorOf(post({ Action: 'DescribeAddresses', 'Filter.1.Name': 'domain' }))).toBe(
      '400 MissingParameter',
    );
    expect(emulator.calls().counts['unreadable']).toMatchObject({ InvalidAction: 2, MissingAction: 1 });
  });

  test('wants a request that is signed', async () => {
    expect(await errorOf(post({ Action: 'DescribeAddresses' }, ''))).toBe('403 MissingAuthenticationToken');
    expect(await errorOf(post({ Action: 'DescribeAddresses' }, 'Bearer abc'))).toBe('401 AuthFailure');
  });

  test('refuses a region that cannot be one', async () => {
    const mars = signature.replace('eu-west-1', 'mars');
    expect(await errorOf(post({ Action: 'DescribeAddresses' }, mars))).toBe('400 InvalidParameterValue');
  });
});

describe('STS', () => {
  test('says on the same endpoint which account this is', async () => {
    const sts = new STSClient({
      endpoint: emulator.url,
      region: 'eu-west-1',
      maxAttempts: 1,
      credentials: { accessKeyId: 'k', secretAccessKey: 's' },
    });
    expect(await sts.send(new GetCallerIdentityCommand({}))).toMatchObject({ Account: '210987654321' });
    emulator.configure({ denied: ['GetCallerIdentity'] });
    await expect(sts.send(new GetCallerIdentityCommand({}))).rejects.toMatchObject({
      name: 'AccessDenied',
      $metadata: { httpStatusCode: 403 },
    });
    emulator.configure({ denied: [] });
    sts.destroy();
  });
});
