import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  AssociateAddressCommand,
  DisassociateAddressCommand,
  type AssociateAddressCommandInput,
} from '@aws-sdk/client-ec2';
import { openEmulator, outcomeOf, type EmulatorUnderTest } from './ec2-emulator-client.ts';

let open: EmulatorUnderTest;

beforeAll(async () => {
  open = await openEmulator();
});

afterAll(() => open.close());

describe('AssociateAddress', () => {
  const associate = (input: AssociateAddressCommandInput) =>
    open.client.send(new AssociateAddressCommand(input));

  test.each<[string, AssociateAddressCommandInput, string]>([
    ['no address', { InstanceId: 'i-00000001' }, '400 MissingParameter'],
    [
      'an unknown address',
      { AllocationId: 'eipalloc-00000001', InstanceId: 'i-00000001' },
      '400 InvalidAllocationID.NotFound',
    ],
    [
      'a malformed address id',
      { AllocationId: 'eip-1', InstanceId: 'i-00000001' },
      '400 InvalidAllocationID.Malformed',
    ],
  ])('answers %s with an error', async (_, input, outcome) => {
    expect(await outcomeOf(associate(input))).toBe(outcome);
  });

  test.each<[string, Partial<AssociateAddressCommandInput>, string]>([
    ['no target', {}, '400 MissingParameter'],
    ['an unknown instance', { InstanceId: 'i-00000001' }, '400 InvalidInstanceID.NotFound'],
    ['a malformed instance id', { InstanceId: 'i-xyz' }, '400 InvalidInstanceID.Malformed'],
    [
      'an unknown interface',
      { NetworkInterfaceId: 'eni-00000001' },
      '400 InvalidNetworkInterfaceID.NotFound',
    ],
    [
      'both targets',
      { InstanceId: 'i-00000001', NetworkInterfaceId: 'eni-00000001' },
      '400 InvalidParameterCombination',
    ],
  ])('answers %s with an error', async (_, target, outcome) => {
    const { allocationId } = open.emulator.allocateAddress();
    expect(await outcomeOf(associate({ AllocationId: allocationId, ...target }))).toBe(outcome);
  });
});

describe('DisassociateAddress', () => {
  test.each([
    ['eipassoc-00000001', '400 InvalidAssociationID.NotFound'],
    ['assoc-1', '400 InvalidAssociationID.Malformed'],
    [undefined, '400 MissingParameter'],
  ])('answers %s with %s', async (AssociationId, outcome) => {
    expect(await outcomeOf(open.client.send(new DisassociateAddressCommand({ AssociationId })))).toBe(
      outcome,
    );
  });
});
