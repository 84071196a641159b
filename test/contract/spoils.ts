/** What may become of a cloud's answer on its way: by proxies, load balancers, full disks and faulty gateways. */
import { type Answer, signInPath, type Spoil } from './spoiling-proxy.ts';

const html =
  '<!DOCTYPE html><html><head><title>Sign in</title></head><body><p>Please sign in &amp; go on.</body></html>';

function page(status: number, text: string, type = 'text/html'): Spoil {
  return () => ({ status, headers: { 'content-type': type }, body: Buffer.from(text) });
}

function body(change: (body: Buffer) => Buffer | string): Spoil {
  return (answer) => ({ ...answer, body: Buffer.from(change(answer.body)) });
}

function cutAt(share: number): Spoil {
  return body((it) => it.subarray(0, Math.floor(it.length * share)));
}

function withHeaders(answer: Answer, more: Answer['headers']): Answer {
  return { ...answer, headers: { ...answer.headers, ...more } };
}

/** What a client must not read to its end. The client is the same for every family and every call of a cloud. */
export const largeSpoils: readonly (readonly [string, Spoil])[] = [
  ['10 MB of bytes', body(() => Buffer.alloc(10_000_000, 0xa7))],
  ['10 MB of an open element', body(() => `<?xml version="1.0"?><a>${'<b>'.repeat(3_300_000)}`)],
  ['10 MB of brackets', body(() => '['.repeat(10_000_000))],
];

export const spoils: readonly (readonly [string, Spoil])[] = [
  ['a page with 200', page(200, html)],
  ['a page with 200, called XML', page(200, html, 'text/xml;charset=UTF-8')],
  ['a page with 200, called JSON', page(200, html, 'application/json')],
  ['an empty body with 200', body(() => '')],
  ['204', (answer) => ({ ...answer, status: 204, body: Buffer.alloc(0) })],
  ['a redirect to a page', () => ({ status: 302, headers: { location: signInPath }, body: Buffer.alloc(0) })],
  ['a redirect without a target', () => ({ status: 301, headers: {}, body: Buffer.from(html) })],
  ['400 with a page', page(400, html)],
  ['401 with a page', page(401, html)],
  ['403 with a page', page(403, html)],
  ['404 with a page', page(404, html)],
  ['404 with nothing', page(404, '')],
  ['407 with a page', page(407, html)],
  ['409 with JSON of something else', page(409, '{"message":"no"}', 'application/json')],
  ['412 with a page', page(412, html)],
  ['500 with a page', page(500, html)],
  ['502 with nothing', page(502, '')],
  ['503 with XML of something else', page(503, '<Error><Reason>busy</Reason></Error>', 'text/xml')],
  ['cut in the middle', cutAt(0.5)],
  ['cut near its end', cutAt(0.93)],
  ['cut near its beginning', cutAt(0.1)],
  ['without its last character', body((it) => it.subarray(0, it.length - 1))],
  [
    'cut, with the connection',
    (it) => ({ ...it, body: it.body.subarray(0, it.body.length / 2), isCut: true }),
  ],
  ['cut off after its head', (it) => ({ ...it, body: Buffer.alloc(0), isCut: true })],
  ['doubled', body((it) => Buffer.concat([it, it]))],
  ['deeply nested JSON', body(() => `${'{"items":'.repeat(50_000)}1${'}'.repeat(50_000)}`)],
  ['no UTF-8', body((it) => Buffer.concat([Buffer.of(0xff, 0xfe, 0), it]))],
  ['said to be compressed', (answer) => withHeaders(answer, { 'content-encoding': 'gzip' })],
  ['JSON null', body(() => 'null')],
  ['a JSON list', body(() => '[]')],
  ['a JSON text', body(() => '"ok"')],
  ['an empty JSON object', body(() => '{}')],
  [
    'an answer to something else',
    body(() => '<DescribeRegionsResponse><regionInfo/></DescribeRegionsResponse>'),
  ],
  ['an empty XML element', body(() => '<x/>')],
  [
    'XML with an entity',
    body((it) => `<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>${it.toString()}`),
  ],
];

/** Each field of the answer that is lost, everywhere in it; by the names in the answer itself. */
export function losses(answer: Answer): [string, Spoil][] {
  return fieldsOf(answer).map((name) => [
    `without ${name}`,
    isJson(answer)
      ? body((it) => JSON.stringify(changeJson(JSON.parse(it.toString()), name, () => undefined)))
      : body((it) => it.toString().replaceAll(element(name), '')),
  ]);
}

/**
 * Empty or missing, these are the cloud's own words for "there are none", or for an interface without an address: nobody
 * can tell that they are not true. A prefix of another length could be one.
 */
const words = {
  xml: /^(reservationSet|addressesSet|subnetIpv6CidrReservationSet|networkInterfaceSet|subnetSet|ipv6AddressesSet|ipv6CidrBlockAssociationSet|association)$/,
  json: /^(items|accessConfigs|ipv6AccessConfigs|natIP|externalIpv6|users|prefixLength)$/,
};

/** Each field of the answer with a value of a wrong type. */
export function misfits(answer: Answer): [string, Spoil][] {
  return fieldsOf(answer).flatMap((name): [string, Spoil][] => {
    if (!isJson(answer)) {
      const filled = (inner: string) =>
        body((it) => it.toString().replaceAll(element(name), `<${name}>${inner}</${name}>`));
      return [
        [`${name} nested`, filled('<deep><er>1</er></deep>')],
        [`${name} empty`, filled('')],
      ];
    }
    const values: readonly unknown[] = [null, 7, {}];
    return values.map((value) => [
      `${name} as ${JSON.stringify(value)}`,
      body((it) => JSON.stringify(changeJson(JSON.parse(it.toString()), name, () => value))),
    ]);
  });
}

function isJson({ headers }: Answer): boolean {
  return headers['content-type']?.includes('json') ?? false;
}

function element(name: string): RegExp {
  return new RegExp(`<${name}>.*?</${name}>|<${name}/>`, 'gs');
}

function fieldsOf(answer: Answer): string[] {
  const text = answer.body.toString();
  const pattern = isJson(answer) ? /"([A-Za-z]\w*)":/g : /<([A-Za-z]\w*)\/?>/g;
  const names = new Set([...text.matchAll(pattern)].map(([, name]) => name ?? ''));
  return [...names].filter((name) => !words[isJson(answer) ? 'json' : 'xml'].test(name));
}

function changeJson(value: unknown, name: string, to: () => unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((it) => changeJson(it, name, to));
  return Object.fromEntries(
    Object.entries(value).map(([key, it]) => [key, key === name ? to() : changeJson(it, name, to)]),
  );
}
