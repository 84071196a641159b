/** Shell completion: the scripts are those of @bomb.sh/tab, which ask `kubeip complete -- …` for what may come next. */
import tab from '@bomb.sh/tab/commander';
import type { Command } from 'commander';
import { writeData } from './streams.ts';

/** The script takes this function of the package bash-completion, which a bare bash does not have. */
const bashFallback = `
if ! declare -F _get_comp_words_by_ref >/dev/null; then
  _get_comp_words_by_ref() {
    words=("\${COMP_WORDS[@]}")
    cword=$COMP_CWORD
    cur=\${words[cword]}
    prev=\${words[cword - 1]}
  }
fi
`;

/** A DNS subdomain, as the name of any Node is ("Object Names and IDs"). */
const nodeNamePattern = /^[a-z0-9][-a-z0-9.]{0,252}$/;

/** A person presses a key and waits. */
const NAMES_WITHIN_MS = 1_500;

/**
 * Adds `completion <shell>` and the hidden `complete`. To be called once all commands are there.
 *
 * @param nodeNames what may stand for NODE; asked only when somebody completes one
 */
export async function addCompletion(
  program: Command,
  args: readonly string[],
  nodeNames: () => Promise<readonly string[]>,
): Promise<void> {
  const completion = tab(program, { completionCommandName: 'completion' });
  program.commands
    .find((command) => command.name() === 'completion')
    ?.description('Print the completion script of a shell.')
    .addHelpText(
      'after',
      '\nExamples:\n  source <(kubeip completion bash)\n  kubeip completion zsh > ~/.zfunc/_kubeip',
    );
  if (args[0] === 'completion' && args[1] === 'bash') writeData(bashFallback);
  if (args[0] !== 'complete') return;
  const command = completion.commands.get(args[2] ?? '');
  const argument = command?.arguments.get('node');
  if (argument === undefined) return;
  // What is no name of a Node was started by hand: a shell may take parts of it for commands.
  const names = (await inTime(nodeNames())).filter((name) => nodeNamePattern.test(name));
  argument.handler = (complete) => {
    for (const name of names) complete(name, '');
  };
}

/** No names are better than a shell that hangs, or a message in the middle of a command line. */
async function inTime(names: Promise<readonly string[]>): Promise<readonly string[]> {
  const { promise, resolve } = Promise.withResolvers<readonly string[]>();
  const timer = setTimeout(() => resolve([]), NAMES_WITHIN_MS);
  names.then(resolve, () => resolve([]));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}
