import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { importedNames, programFolders } from '../program-libraries.ts';

test('what the programs import of a library is found, without types', () => {
  const root = mkdtempSync(join(tmpdir(), 'kubeip-libraries-'));
  for (const folder of programFolders) mkdirSync(join(root, folder, 'deeper'), { recursive: true });
  writeFileSync(
    join(root, 'kubernetes/deeper/nodes.ts'),
    [
      'import {',
      '  CoreV1Api,',
      '  type V1Node,',
      '  Watch as Watching,',
      "} from '@kubernetes/client-node';",
      "import type { V1Taint } from '@kubernetes/client-node';",
      "import * as gax from 'google-gax';",
      "import { readFile } from 'node:fs/promises';",
      "import { Client } from '@temporalio/client';",
      "import { z } from '../../zod.ts';",
      "type Late = typeof import('@aws-sdk/client-sts');",
      "const late = await import('@aws-sdk/client-ec2');",
    ].join('\n'),
  );
  expect(importedNames(root)).toEqual(
    new Map([
      ['@kubernetes/client-node', new Set(['CoreV1Api', 'Watch'])],
      ['google-gax', new Set(['*'])],
      ['@aws-sdk/client-ec2', new Set(['*'])],
    ]),
  );
});
