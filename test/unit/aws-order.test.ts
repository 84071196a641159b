import type { Address } from '@aws-sdk/client-ec2';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { parseOrder, type AddressOrder } from '../../clouds/aws/order.ts';

function order(orderBy: string): AddressOrder {
  const parsed = parseOrder(orderBy);
  if (!parsed) throw new Error('no order');
  return parsed;
}

const sorted = (orderBy: string, addresses: readonly Address[]) =>
  addresses.toSorted(order(orderBy)).map((address) => address.AllocationId);

describe('parseOrder', () => {
  test('an empty order leaves the order to EC2', () => {
    expect(parseOrder('')).toBeUndefined();
    expect(parseOrder('  ')).toBeUndefined();
  });

  test('orders by a tag, whatever the case of "Tag:"', () => {
    const addresses: Address[] = [
      { AllocationId: 'a', Tags: [{ Key: 'rank', Value: '2' }] },
      {
        AllocationId: 'b',
        Tags: [
          { Key: 'other', Value: '0' },
          { Key: 'rank', Value: '1' },
        ],
      },
    ];
    expect(sorted('Tag:rank', addresses)).toEqual(['b', 'a']);
    expect(sorted('tag:rank', addresses)).toEqual(['b', 'a']);
  });

  test('compares as strings, as KubeIP does', () => {
    const addresses: Address[] = [
      { AllocationId: 'a', PublicIp: '10.0.0.9' },
      { AllocationId: 'b', PublicIp: '10.0.0.10' },
    ];
    expect(sorted('PublicIp', addresses)).toEqual(['b', 'a']);
  });

  test('addresses without the field or tag come last, by allocation id', () => {
    const addresses: Address[] = [
      { AllocationId: 'd' },
      { AllocationId: 'c', AssociationId: '' },
      { AllocationId: 'b', AssociationId: 'z', Tags: [{ Key: 'k' }] },
      { AllocationId: 'a', AssociationId: 'y', Tags: [{ Key: 'k', Value: 'v' }] },
    ];
    expect(sorted('AssociationId', addresses)).toEqual(['a', 'b', 'c', 'd']);
    expect(sorted('Tag:k', addresses)).toEqual(['a', 'b', 'c', 'd']);
  });

  test.each(['Colour', 'Tag:', 'Tags', 'PublicIp desc'])('%j is refused as Invalid', (orderBy) => {
    expect(() => parseOrder(orderBy)).toThrow(expect.objectContaining({ kind: 'Invalid' }));
  });

  test('an unknown field is answered with the fields there are', () => {
    expect(() => parseOrder('Colour')).toThrow(/Tag:<key>.*AllocationId.*PublicIp/);
  });

  test('is total: every list of addresses ends in one order, however it began', () => {
    const address = fc.record(
      {
        PublicIp: fc.constantFrom('', '1.1.1.1', '1.1.1.2'),
        InstanceId: fc.constantFrom('i-1', 'i-2'),
        Tags: fc.array(fc.record({ Key: fc.constantFrom('a', 'b'), Value: fc.constantFrom('', 'x', 'y') }), {
          maxLength: 2,
        }),
      },
      { requiredKeys: [] },
    );
    const list = fc
      .array(address, { maxLength: 12 })
      .map((all) => all.map((one, index): Address => ({ ...one, AllocationId: `eipalloc-${index}` })));
    const by = fc.constantFrom('Tag:a', 'PublicIp', 'InstanceId', 'AllocationId', 'Domain');
    fc.assert(
      fc.property(
        by,
        list.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
        (orderBy, [all, shuffled]) => expect(sorted(orderBy, shuffled)).toEqual(sorted(orderBy, all)),
      ),
    );
  });
});
