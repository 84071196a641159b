/** Nothing that takes an address from somebody is done without a word. */
import { exitCodes, StartupError } from '../program/exit-codes.ts';

/**
 * Asks on the terminal, unless `yes` says so already.
 *
 * @throws StartupError (notConfirmed) if the answer is no, or if there is nobody to ask
 */
export async function confirmed(question: string, yes: boolean | undefined): Promise<void> {
  if (yes === true) return;
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new StartupError(
      exitCodes.notConfirmed,
      `${question}\nThere is no terminal to ask at. Nothing was done; --yes says yes beforehand.`,
    );
  }
  if (await ask(question)) return;
  throw new StartupError(exitCodes.notConfirmed, 'Nothing was done.');
}

async function ask(message: string): Promise<boolean> {
  const { default: confirm } = await import('@inquirer/confirm');
  try {
    // Standard output is for data.
    return await confirm({ message, default: false }, { output: process.stderr });
  } catch (error) {
    // Ctrl-C.
    if (error instanceof Error && error.name === 'ExitPromptError') return false;
    throw error;
  }
}
