/** Copies tags (EC2) or labels (Compute Engine) of a node's addresses to its Node, where its pool's settings say so. */
import type { CloudProvider } from '../clouds/provider.ts';
import type { PoolConfig } from '../config/config.ts';
import { labelValuePattern } from '../config/schema.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { markNode, type NodeMarks } from '../kubernetes/node-writer.ts';
import { type AddressRef, familyOf } from '../model/address.ts';
import type { CopyTags } from '../model/settings.ts';
import type { Logger } from '../program/logger.ts';
import type { PublishInput } from './contract.ts';

type Tags = Readonly<Record<string, string>>;

/**
 * Read anew from the cloud, so that no history carries them; calls that come together share one request. A second run writes
 * the same.
 *
 * @throws CloudError, KubernetesError
 */
export async function copyTags(
  client: KubernetesClient,
  provider: CloudProvider,
  { copyTags: copy, queries, name: pool }: PoolConfig,
  { node, addresses }: PublishInput,
  logger: Logger,
): Promise<void> {
  if (copy === undefined) return;
  const tagsOf = async ({ id, ip }: AddressRef): Promise<Tags> => {
    const query = queries.find(({ family }) => family === familyOf(ip));
    return (query && (await provider.readAddress(query, id))?.tags) ?? {};
  };
  const { marks, refused } = copiedTags(copy, await Promise.all(addresses.map(tagsOf)));
  for (const { key, value } of refused) {
    const what = 'a tag was not copied: its value can be no label; list its key under copyTags.annotations';
    logger.warn({ node: node.name, pool, key, value }, what);
  }
  await markNode(client, node, marks);
}

export interface CopiedTags {
  readonly marks: NodeMarks;
  /** Tags whose value can be no label, and so is none. */
  readonly refused: readonly { readonly key: string; readonly value: string }[];
}

/**
 * Pure.
 *
 * @param tags of the addresses that the node has; of the first one, where two have one key
 * @returns what to write: null for each key that is to be copied and that no address has, so that a node without an address
 * shows no tags of one
 */
export function copiedTags(copy: CopyTags, tags: readonly Tags[]): CopiedTags {
  const valueOf = (key: string): string | null =>
    tags.find((some) => Object.hasOwn(some, key))?.[key] ?? null;
  const refused: { key: string; value: string }[] = [];
  const labels = copy.labels.map((key) => {
    const value = valueOf(key);
    const isLabel = value === null || labelValuePattern.test(value);
    if (!isLabel) refused.push({ key, value });
    return [`${copy.prefix}${key}`, isLabel ? value : null];
  });
  const annotations = copy.annotations.map((key) => [`${copy.prefix}${key}`, valueOf(key)]);
  return {
    marks: { labels: Object.fromEntries(labels), annotations: Object.fromEntries(annotations) },
    refused,
  };
}
