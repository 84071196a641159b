/** Nothing that takes an address from somebody is done without a word. */
import { visibleText } from '../model/visible-text.ts';
import { exitCodes, StartupError } from '../program/exit-codes.ts';
import { canAsk, questionStream } from './streams.ts';

/**
 * Asks on the terminal, unless `yes` says so already.
 *
 * @param signal ends the question; what is thrown then is not for a person
 * @throws StartupError (notConfirmed) if the answer is no, or if there is nobody to ask
 */
export async function confirmed(
  question: string,
  yes: boolean | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (yes === true) return;
  if (!canAsk()) {
    throw new StartupError(
      exitCodes.notConfirmed,
      `${question}\nThere is no terminal to ask at. Nothing was done; --yes says yes beforehand.`,
    );
  }
  if (await ask(question, signal)) return;
  throw new StartupError(exitCodes.notConfirmed, 'Nothing was done.');
}

async function ask(message: string, signal: AbortSignal): Promise<boolean> {
  const { default: confirm } = await import('@inquirer/confirm');
  try {
    return await confirm(
      { message: visibleText(message), default: false },
      { output: questionStream(), signal },
    );
  } catch (error) {
    // Ctrl-C.
    if (error instanceof Error && error.name === 'ExitPromptError') return false;
    throw error;
  }
}
