/**
 * Kubernetes' label selector strings, as `kubectl -l` takes them: `nodegroup=public,kubeip in (use,yes),!spot`
 * ("Labels and Selectors").
 */
import { MAX_LABEL_SELECTOR_LENGTH, tooLong } from '../model/limits.ts';
import type { NodeSelector, NodeSelectorRequirement } from './config.ts';
import { labelKeyPattern, labelValuePattern } from './schema.ts';

const notExists = /^!\s*(?<key>\S+)$/;
const set = /^(?<key>[^\s!=(),]+)\s+(?<operator>in|notin)\s*\((?<values>[^()]*)\)$/;
const comparison = /^(?<key>[^\s!=<>(),]+)\s*(?<operator>==|=|!=|>|<)\s*(?<value>[^\s!=<>(),]*)$/;
const exists = /^(?<key>[^\s!=<>(),]+)$/;

/**
 * @param text requirements joined by commas, all of which must hold
 * @throws SyntaxError naming the requirement that cannot be read, or saying that the text is too long
 */
export function parseLabelSelector(text: string): NodeSelector {
  const problem = tooLong('The selector', text, MAX_LABEL_SELECTOR_LENGTH, 'Select by fewer labels');
  if (problem !== undefined) throw new SyntaxError(problem);
  return readLabelSelector(text);
}

/** As {@link parseLabelSelector}, of a text of any length: the time that it takes grows as the text does. */
export function readLabelSelector(text: string): NodeSelector {
  if (text.trim() === '') return {};
  return { matchExpressions: splitRequirements(text).map(parseRequirement) };
}

/** At commas, but not at those between the parentheses of a set: they are followed by one that closes. */
function splitRequirements(text: string): string[] {
  const parts: string[] = [''];
  const pieces = text.split(/([()])/);
  for (let index = 0; index < pieces.length; index += 2) {
    const piece = pieces[index] ?? '';
    const parenthesis = pieces[index + 1] ?? '';
    const [first = '', ...rest] = parenthesis === ')' ? [piece] : piece.split(',');
    parts.push(`${parts.pop() ?? ''}${first}`);
    for (const part of rest) parts.push(part);
    parts.push(`${parts.pop() ?? ''}${parenthesis}`);
  }
  return parts.map((part) => part.trim());
}

function parseRequirement(text: string): NodeSelectorRequirement {
  const requirement = readNotExists(text) ?? readSet(text) ?? readComparison(text) ?? readExists(text);
  if (requirement === undefined) {
    throw new SyntaxError(
      `${JSON.stringify(text)} is not a label requirement: write key=value, key!=value, key in (a,b), key notin (a,b), key or !key`,
    );
  }
  checkWords(text, requirement);
  return requirement;
}

function readNotExists(text: string): NodeSelectorRequirement | undefined {
  const key = notExists.exec(text)?.groups?.['key'];
  return key === undefined ? undefined : { key, operator: 'DoesNotExist' };
}

function readSet(text: string): NodeSelectorRequirement | undefined {
  const groups = set.exec(text)?.groups;
  if (groups === undefined) return undefined;
  const values = (groups['values'] ?? '').split(',').map((value) => value.trim());
  return { key: groups['key'] ?? '', operator: groups['operator'] === 'in' ? 'In' : 'NotIn', values };
}

function readComparison(text: string): NodeSelectorRequirement | undefined {
  const groups = comparison.exec(text)?.groups;
  if (groups === undefined) return undefined;
  const operators = { '=': 'In', '==': 'In', '!=': 'NotIn', '>': 'Gt', '<': 'Lt' } as const;
  const operator = operators[groups['operator'] as keyof typeof operators];
  return { key: groups['key'] ?? '', operator, values: [groups['value'] ?? ''] };
}

function readExists(text: string): NodeSelectorRequirement | undefined {
  const key = exists.exec(text)?.groups?.['key'];
  return key === undefined ? undefined : { key, operator: 'Exists' };
}

function checkWords(text: string, { key, operator, values }: NodeSelectorRequirement): void {
  if (!labelKeyPattern.test(key)) {
    throw new SyntaxError(`${JSON.stringify(key)} in ${JSON.stringify(text)} is not a label key`);
  }
  for (const value of values ?? []) {
    const fits =
      operator === 'Gt' || operator === 'Lt' ? /^[+-]?[0-9]+$/.test(value) : labelValuePattern.test(value);
    if (!fits) {
      const kind = operator === 'Gt' || operator === 'Lt' ? 'an integer' : 'a label value';
      throw new SyntaxError(`${JSON.stringify(value)} in ${JSON.stringify(text)} is not ${kind}`);
    }
  }
}
