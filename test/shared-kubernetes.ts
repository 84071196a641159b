/**
 * API servers that many test files use one after another: a start takes seconds, and most tests need no server of their own.
 * `npm test` starts one for each jest worker; each file finds it as it was after its start.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KubernetesServer, openKubernetes, startKubernetes } from '../sandbox/processes/kubernetes.ts';
import { ensureTools } from '../sandbox/tools/ensure-tools.ts';
import { startWorld, type World, type WorldOptions } from '../sandbox/world.ts';

/** Where the shared servers are, as JSON, for the jest workers. */
const variable = 'KUBEIP_TEST_KUBERNETES';

interface SharedServer {
  readonly dir: string;
  readonly url: string;
  readonly etcdUrl: string;
}

export interface SharedServers {
  /** For the environment of jest. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Starts servers for so many jest workers. */
export async function startSharedServers(count: number): Promise<SharedServers> {
  const root = mkdtempSync(join(tmpdir(), 'kubeip-test-kubernetes-'));
  const tools = await ensureTools(['kube-apiserver', 'etcd']);
  const servers = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const dir = join(root, String(index + 1));
      const server = await startKubernetes({
        apiServerBinary: tools['kube-apiserver'],
        etcdBinary: tools.etcd,
        dir,
      });
      writeFileSync(keysFile(dir), JSON.stringify(await readKeys(server.etcdUrl)));
      return { dir, server };
    }),
  );
  const shared: SharedServer[] = servers.map(({ dir, server: { url, etcdUrl } }) => ({ dir, url, etcdUrl }));
  return {
    env: { [variable]: JSON.stringify(shared) },
    stop: async () => {
      await Promise.all(servers.map(({ server }) => server.stop()));
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/**
 * A world for a file of tests. Its API server is the shared one, wiped, where there is one: a test that stops, pauses or
 * restarts it starts a world of its own.
 */
export async function startTestWorld(options: WorldOptions = {}): Promise<World> {
  const { temporal, ec2, gce, oci } = options;
  const onlyOthers = options.kubernetes === undefined && (temporal ?? ec2 ?? gce ?? oci);
  const kubernetes = options.kubernetes === false || Boolean(onlyOthers) ? undefined : await wipedServer();
  if (kubernetes === undefined) return startWorld(options);
  const isDefault = [options.kubernetes, temporal, ec2, gce, oci].every((part) => part === undefined);
  return startWorld({ ...(isDefault && { temporal: true, ec2: true, gce: true }), ...options, kubernetes });
}

/** The server of this jest worker, as it was after its start; undefined outside of `npm test`. */
async function wipedServer(): Promise<KubernetesServer | undefined> {
  const servers = process.env[variable];
  if (servers === undefined) return undefined;
  const mine = (JSON.parse(servers) as SharedServer[])[Number(process.env['JEST_WORKER_ID'] ?? 1) - 1];
  if (mine === undefined) return undefined;
  await wipe(mine);
  return {
    ...openKubernetes(mine.dir, mine.url),
    etcdUrl: mine.etcdUrl,
    get processes(): never {
      throw new Error('The API server is shared: a test that stops it starts a world of its own.');
    },
    // It outlives the file.
    stop: () => Promise.resolve(),
  };
}

/** The API server's own lease is renewed all the time. */
const kept = '/registry/leases/kube-system/';

/** Deletes what was not there after the start. Watches of the API server tell of it at once. */
async function wipe({ dir, etcdUrl }: SharedServer): Promise<void> {
  const first = new Set(JSON.parse(readFileSync(keysFile(dir), 'utf8')) as string[]);
  const others = (await readKeys(etcdUrl)).filter((key) => !first.has(key) && !key.startsWith(kept));
  await Promise.all(others.map((key) => etcd(etcdUrl, 'deleterange', { key: encode(key) })));
}

async function readKeys(etcdUrl: string): Promise<string[]> {
  const range = { key: encode('/registry/'), range_end: encode('/registry0'), keys_only: true };
  const { kvs = [] } = (await etcd(etcdUrl, 'range', range)) as { kvs?: { key: string }[] };
  return kvs.map(({ key }) => Buffer.from(key, 'base64').toString());
}

/** A call of etcd's HTTP gateway. */
async function etcd(url: string, method: string, request: object): Promise<unknown> {
  const response = await fetch(`${url}/v3/kv/${method}`, { method: 'POST', body: JSON.stringify(request) });
  if (!response.ok) throw new Error(`etcd answers ${response.status} to ${method}`);
  return response.json();
}

function encode(key: string): string {
  return Buffer.from(key).toString('base64');
}

function keysFile(dir: string): string {
  return join(dir, 'first-keys.json');
}
