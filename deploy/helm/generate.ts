/** `npm run chart:generate`: writes what the chart derives from other sources: values.schema.json and the README's table. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { valuesSchemaText } from './values-schema.ts';
import { withValuesTable } from './values-table.ts';

const chart = fileURLToPath(new URL('kubeip-temporal/', import.meta.url));

/** Each file with what it should hold. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const readme = readFileSync(`${chart}README.md`, 'utf8');
  return new Map([
    [`${chart}values.schema.json`, valuesSchemaText()],
    [`${chart}README.md`, withValuesTable(readme, readFileSync(`${chart}values.yaml`, 'utf8'))],
  ]);
}

if (import.meta.main) {
  for (const [file, text] of generatedFiles()) writeFileSync(file, text);
}
