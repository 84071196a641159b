/** What the emulator's tests share: an AWS SDK client on an emulator, and errors by their code. */
import { EC2Client, EC2ServiceException } from '@aws-sdk/client-ec2';
import { startEc2Emulator, type Ec2Emulator, type Ec2EmulatorOptions } from '../../sandbox/ec2/emulator.ts';

export interface EmulatorUnderTest {
  readonly emulator: Ec2Emulator;
  /** Tries every call once. */
  readonly client: EC2Client;
  close(): Promise<void>;
}

export async function openEmulator(options: Ec2EmulatorOptions = {}): Promise<EmulatorUnderTest> {
  const emulator = await startEc2Emulator(options);
  const client = newClient(emulator);
  return {
    emulator,
    client,
    async close() {
      client.destroy();
      await emulator.close();
    },
  };
}

export function newClient(emulator: Ec2Emulator, region = emulator.region): EC2Client {
  return new EC2Client({
    endpoint: emulator.url,
    region,
    maxAttempts: 1,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
}

/** @returns `<HTTP status> <code>` of the error that a call ends with, `ok` if it ends well */
export async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'ok';
  } catch (error) {
    if (error instanceof EC2ServiceException) return `${error.$metadata.httpStatusCode} ${error.name}`;
    throw error;
  }
}
