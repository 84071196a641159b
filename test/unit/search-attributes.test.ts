/** What the program that registers search attributes says where a server refuses. On one that does not: test/helm. */
import { describe, expect, test } from '@jest/globals';
import type { Connection } from '@temporalio/client';
import { registerSearchAttributes, searchAttributeNumbers } from '../../program/search-attributes.ts';

/** As gRPC gives it to the SDK. */
const refusal = (code: number): Error =>
  Object.assign(new Error('refused'), { code, details: 'refused', metadata: {} });
const [PERMISSION_DENIED, UNIMPLEMENTED, UNAVAILABLE] = [7, 12, 14];

/** Temporal Cloud, of which there is none here: it lists, and adds nothing. */
function server(present: Record<string, number> | Error, answer: Error): Connection {
  return {
    operatorService: {
      listSearchAttributes: async () => {
        if (present instanceof Error) throw present;
        return { customAttributes: present };
      },
      addSearchAttributes: async () => {
        throw answer;
      },
    },
  } as unknown as Connection;
}

describe('on a server that adds no search attributes', () => {
  test.each([PERMISSION_DENIED, UNIMPLEMENTED])(
    'those that are missing are named, with what a person does on Temporal Cloud (status %i)',
    async (code) => {
      const { KubeipAddress, ...others } = searchAttributeNumbers;
      expect(KubeipAddress).toBeDefined();
      await expect(registerSearchAttributes(server(others, refusal(code)), 'prod.a1b2c')).rejects.toThrow(
        /tcld namespace search-attributes add --namespace prod\.a1b2c --sa "KubeipAddress=KeywordList"\n/,
      );
    },
  );

  test('nothing is asked of it once all are there', async () => {
    const all = { ...searchAttributeNumbers, Other: 2 };
    expect(await registerSearchAttributes(server(all, refusal(PERMISSION_DENIED)), 'a')).toEqual({
      added: [],
    });
  });

  test('and which does not even say which there are, it is not known', async () => {
    const silent = server(refusal(PERMISSION_DENIED), refusal(PERMISSION_DENIED));
    expect(await registerSearchAttributes(silent, 'a')).toBe('unknown');
  });

  test('a server that is away is another matter', async () => {
    await expect(registerSearchAttributes(server({}, refusal(UNAVAILABLE)), 'a')).rejects.toThrow('refused');
  });
});
