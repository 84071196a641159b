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
   */
  task(what: string, why: string, usually: string): () => void;
}

interface Task {
  readonly what: string;
  readonly usually: string;
  readonly startedAt: number;
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
    const lines = [...tasks].map((task) => `${task.what}: ${elapsed(task)} (usually ${task.usually})`);
    if (!terminal) lines.forEach((line) => stream.write(`${line}\n`));
    else if (lines.length > 0) stream.write(`\r\u001b[2K${lines.join(' · ').slice(0, stream.columns - 1)}`);
  };

  return {
    note,
    detail: (line) => void (options.verbose === true && note(line)),
    task: (what, why, usually) => {
      note(`${what}: ${why}; usually takes ${usually}`);
      const task: Task = { what, usually, startedAt: Date.now() };
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

function elapsed(task: Task): string {
  const seconds = Math.round((Date.now() - task.startedAt) / 1_000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
