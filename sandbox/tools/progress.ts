/** Says what is being done, why and for how long: one updating line in a terminal, a line every 30 s elsewhere. */

export interface Progress {
  /** Prints a line. */
  note(line: string): void;
  /** Prints a line that only those want who ask why. */
  detail(line: string): void;
  /**
   * Shows a long task until the returned function is called.
   *
   * @param what as `building etcd v3.6.4`
   * @param why as `not found on this machine`
   * @param usually how long it takes, in words
   * @param howFar the share that is done, from 0 to 1, if that is known
   */
  task(what: string, why: string, usually: string, howFar?: () => number): () => void;
}

interface Task {
  readonly what: string;
  readonly usually: string;
  readonly startedAt: number;
  readonly howFar: (() => number) | undefined;
}

/** @param options.stream where to; default: stderr, so that stdout stays a program's own */
export function createProgress(
  options: { stream?: NodeJS.WriteStream; verbose?: boolean; intervalMs?: number } = {},
): Progress {
  const stream = options.stream ?? process.stderr;
  const terminal = stream.isTTY;
  const tasks = new Set<Task>();
  let timer: NodeJS.Timeout | undefined;

  const clear = (): void => void (terminal && tasks.size > 0 && stream.write('\r\u001b[2K'));
  const note = (line: string): void => {
    clear();
    stream.write(`${line}\n`);
    if (terminal) show();
  };
  const show = (): void => {
    const lines = [...tasks].map(describe);
    if (!terminal) lines.forEach((line) => stream.write(`${line}\n`));
    else if (lines.length > 0) stream.write(`\r\u001b[2K${lines.join(' · ').slice(0, stream.columns - 1)}`);
  };

  return {
    note,
    detail: (line) => void (options.verbose === true && note(line)),
    task: (what, why, usually, howFar) => {
      note(`${what}: ${why}; usually takes ${usually}`);
      const task: Task = { what, usually, startedAt: Date.now(), howFar };
      tasks.add(task);
      timer ??= setInterval(show, options.intervalMs ?? (terminal ? 1_000 : 30_000));
      return () => {
        clear();
        tasks.delete(task);
        if (tasks.size === 0) {
          clearInterval(timer);
          timer = undefined;
        }
        note(`${what}: took ${elapsed(task)}`);
      };
    },
  };
}

/** Prints nothing. */
export const silentProgress: Progress = { note: () => {}, detail: () => {}, task: () => () => {} };

/** `building etcd v3.6.4: 40 % after 12 s (usually 30 s)`. The last per cent is for what is not counted. */
function describe(task: Task): string {
  const share = task.howFar?.();
  const far = share === undefined ? '' : `${Math.min(99, Math.floor(share * 100))} % after `;
  return `${task.what}: ${far}${elapsed(task)} (usually ${task.usually})`;
}

function elapsed(task: Task): string {
  const seconds = Math.round((Date.now() - task.startedAt) / 1_000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
