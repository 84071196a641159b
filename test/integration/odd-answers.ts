/** What load balancers, ingresses and login proxies answer in place of the API server that they stand in front of. */

export interface OddAnswer {
  readonly status: number;
  /** The content type. */
  readonly type: string;
  readonly body: string;
}

const page = (title: string): string =>
  `<html><head><title>${title}</title></head><body><center><h1>${title}</h1></center><hr><center>nginx</center></body></html>`;

/** What a message about any of them must name: the cause to look for, and the setting to check. */
export const oddAnswerRemedy = /load balancer.*login proxy.*kubeconfig/is;

/** None of them says anything about a Node. */
export const oddAnswers = {
  'nginx 404 page': { status: 404, type: 'text/html', body: page('404 Not Found') },
  'default backend 404': { status: 404, type: 'text/plain; charset=utf-8', body: 'default backend - 404' },
  'JSON without a route, 404': {
    status: 404,
    type: 'application/json; charset=utf-8',
    body: '{"message":"no Route matched with those values"}',
  },
  'HTML page with 200': { status: 200, type: 'text/html', body: page('Sign in') },
  'empty JSON object with 200': { status: 200, type: 'application/json', body: '{}' },
  'JSON login prompt with 200': {
    status: 200,
    type: 'application/json',
    body: '{"type":"error","status":"401","message":"must authenticate"}',
  },
  'empty NodeList without resourceVersion': {
    status: 200,
    type: 'application/json',
    body: '{"kind":"NodeList","apiVersion":"v1","metadata":{},"items":[]}',
  },
} satisfies Readonly<Record<string, OddAnswer>>;

export type OddAnswerName = keyof typeof oddAnswers;
