/** The option `--temporal` of the programs that start a world. */
import { Option } from 'commander';

/** What Temporal keeps its data in. */
export type TemporalStore = 'sqlite' | 'postgres';

const stores: readonly TemporalStore[] = ['sqlite', 'postgres'];

/** @returns an option whose value is a {@link TemporalStore} */
export function temporalOption(): Option {
  return new Option(
    '--temporal <store>',
    'sqlite: the dev server. postgres: the server as it runs in production (it is built once, with Go), on a PostgreSQL of this machine',
  )
    .choices(stores)
    .default(stores[0]);
}
