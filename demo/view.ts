/** Shows the demo: a live table at a terminal, plain lines elsewhere. */
import { setTimeout as sleep } from 'node:timers/promises';
import Table from 'cli-table3';
import { createLogUpdate } from 'log-update';
import colors from 'picocolors';
import type { Family } from '../model/address.ts';
import type { NodeRow } from './observer.ts';

const REFRESH_MS = 250;

export interface View {
  /** A line of the story. */
  say(text: string): void;
  /** The rows as of the last look. */
  rows(): readonly NodeRow[];
  stop(): Promise<void>;
}

/**
 * @param output where the story goes: stderr when stdout is for JSON
 * @param families a column for the addresses of each
 * @param observe asked again and again until `stop`
 */
export function startView(
  output: NodeJS.WriteStream,
  families: readonly Family[],
  observe: () => Promise<NodeRow[]>,
): View {
  const startedAt = Date.now();
  const live = output.isTTY ? createLogUpdate(output) : undefined;
  let rows: NodeRow[] = [];
  const stopping = new AbortController();

  const say = (text: string): void => {
    live?.clear();
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(1).padStart(6);
    output.write(`${colors.dim(`${seconds}s`)}  ${text}\n`);
    live?.(table(rows, families, output.rows));
  };
  const show = (next: NodeRow[]): void => {
    const before = new Map(rows.map((row) => [row.node, row]));
    rows = next;
    if (live !== undefined) {
      live(table(rows, families, output.rows));
      return;
    }
    for (const row of rows) {
      const old = before.get(row.node);
      const line = describeRow(row);
      if (row.phase === 'new' || (old !== undefined && describeRow(old) === line)) continue;
      say(`${row.node}: ${[line, row.note].filter(Boolean).join('  ')}`);
    }
    for (const old of before.values()) {
      if (!rows.some((row) => row.node === old.node)) say(`${old.node}: gone`);
    }
  };
  const loop = (async () => {
    while (!stopping.signal.aborted) {
      // A world that is being stopped does not answer; the next look will tell.
      await observe().then(show, () => {});
      await sleep(REFRESH_MS);
    }
  })();
  return {
    say,
    rows: () => rows,
    stop: async () => {
      stopping.abort();
      await loop;
      live?.done();
    },
  };
}

function describeRow({ phase, addresses }: NodeRow): string {
  return [phase, addresses.ipv4, addresses.ipv6].filter(Boolean).join('  ');
}

const titles: Readonly<Record<Family, string>> = { ipv4: 'IPv4', ipv6: 'IPv6' };

const PAINT: Readonly<Record<string, (text: string) => string>> = {
  assigned: colors.green,
  waiting: colors.yellow,
  released: colors.cyan,
  failed: colors.red,
};

/** @param height lines of the terminal: what does not fit is counted, not shown */
function table(rows: readonly NodeRow[], families: readonly Family[], height: number): string {
  const fits = Math.max(4, height - 8);
  const view = new Table({
    head: ['node', 'pool', 'phase', ...families.map((family) => titles[family]), ''],
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    style: { head: [], border: [], compact: true },
    colWidths: [null, null, null, ...families.map(() => null), 44],
  });
  for (const row of rows.slice(0, fits)) {
    const paint = PAINT[row.phase] ?? String;
    const addresses = families.map((family) => row.addresses[family]);
    view.push([row.node, row.pool, paint(row.phase), ...addresses, row.note]);
  }
  const more = rows.length > fits ? `\n… and ${rows.length - fits} more` : '';
  return view.toString() + more;
}
