/**
 * Batches: several calls in one HTTP request, as `gcloud` sends them when a command names several resources ("Batching
 * API requests", Compute Engine documentation). The parts are carried out side by side, each a call of its own.
 */
import type { HttpAnswer, HttpRequest } from '../cloud/http-server.ts';
import { errorBody, GceError } from './gce-error.ts';

const BATCH_PATH = '/batch/compute/v1';
/** "Batching API requests": more are refused. */
const MAX_PARTS = 1000;
const BOUNDARY = 'batch_sandbox';

export function isBatch({ method, url }: HttpRequest): boolean {
  return method === 'POST' && url.pathname === BATCH_PATH;
}

interface Part {
  readonly contentId: string;
  readonly request: HttpRequest;
}

/**
 * @param answer answers one call, or undefined to cut the connection
 * @returns undefined, too, if one of the parts is to be cut off: they share the connection
 */
export async function answerBatch(
  request: HttpRequest,
  answer: (part: HttpRequest) => Promise<HttpAnswer | undefined>,
): Promise<HttpAnswer | undefined> {
  let parts: readonly Part[];
  try {
    parts = readParts(request);
  } catch (error) {
    if (!(error instanceof GceError)) throw error;
    return { status: 400, contentType: 'application/json', body: JSON.stringify(errorBody(error)) };
  }
  const answers = await Promise.all(parts.map((part) => answer(part.request)));
  const written = parts.map((part, index) => writePart(part.contentId, answers[index]));
  if (written.includes(undefined)) return undefined;
  return {
    status: 200,
    contentType: `multipart/mixed; boundary=${BOUNDARY}`,
    body: `${written.join('')}--${BOUNDARY}--\r\n`,
  };
}

function readParts({ headers, body }: HttpRequest): Part[] {
  const boundary = /boundary="?([^";]+)"?/.exec(headers['content-type'] ?? '')?.[1];
  if (boundary === undefined) throw malformed('no boundary');
  const [, ...texts] = `\n${body.replaceAll('\r\n', '\n')}`.split(`\n--${boundary}`);
  const parts = texts.filter((text) => !text.startsWith('--')).map((text) => readPart(text, headers));
  if (parts.length > MAX_PARTS) throw malformed(`more than ${MAX_PARTS} parts`);
  return parts;
}

/** A part is an HTTP request within headers of its own; credentials are those of the batch. */
function readPart(text: string, outer: HttpRequest['headers']): Part {
  const [head, inner] = splitOnce(text, '\n\n');
  const [requestHead, body] = splitOnce(inner, '\n\n');
  const contentId = /^content-id:\s*<(.*)>\s*$/im.exec(head)?.[1] ?? '';
  const [, method = '', target = ''] = /^\s*([A-Z]+) (\S+) HTTP\//.exec(requestHead) ?? [];
  if (!target.startsWith('/')) throw malformed('a part without a request');
  const request = { method, url: new URL(target, 'http://sandbox'), headers: outer, body: body.trim() };
  return { contentId, request };
}

function writePart(contentId: string, answer: HttpAnswer | undefined): string | undefined {
  if (answer === undefined) return undefined;
  const lines = [
    `--${BOUNDARY}`,
    'Content-Type: application/http',
    `Content-ID: <response-${contentId}>`,
    '',
    `HTTP/1.1 ${answer.status} ${answer.status < 400 ? 'OK' : 'Error'}`,
    `Content-Type: ${answer.contentType}`,
    '',
    answer.body,
  ];
  return `${lines.join('\r\n')}\r\n`;
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}

function malformed(what: string): GceError {
  return new GceError('badRequest', `Failed to parse batch request, error: ${what}.`);
}
