/** What a step that spoils Kubernetes' answers does to each call. Pure. */
import type { ProxiedCall } from '../integration/kubernetes-proxy.ts';
import { type OddAnswer, oddAnswers } from '../integration/odd-answers.ts';
import type { FaultStep, SpoiltCalls } from './steps.ts';

const nodesPath = '/api/v1/nodes';

/** @returns the answer to a call in the API server's place; undefined: the call reaches the API server */
export function spoilOf({
  calls,
  answer,
}: Extract<FaultStep, { kind: 'spoilKubernetes' }>): (call: ProxiedCall) => OddAnswer | undefined {
  return (call) => (calls === 'all' || calls === kindOf(call) ? oddAnswers[answer] : undefined);
}

/** @returns undefined for a watch, and for what is not about Nodes and their Events */
function kindOf({ method, path, isWatch }: ProxiedCall): Exclude<SpoiltCalls, 'all'> | undefined {
  if (method !== 'GET') return 'writes';
  if (path.startsWith(`${nodesPath}/`)) return 'reads';
  return path === nodesPath && !isWatch ? 'lists' : undefined;
}
