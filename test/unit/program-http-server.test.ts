import { afterEach, describe, expect, test } from '@jest/globals';
import { Counter, Registry } from 'prom-client';
import { startHttpServer, type HttpServer, type HttpServerOptions } from '../../program/http-server.ts';

let server: HttpServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function get(
  path: string,
  options: Partial<HttpServerOptions> = {},
  init: RequestInit = {},
): Promise<Response> {
  server = await startHttpServer({
    host: '127.0.0.1',
    port: 0,
    ready: () => ({ ok: true, detail: 'all is well' }),
    metrics: new Registry(),
    ...options,
  });
  return await fetch(`${server.url}${path}`, init);
}

describe('the HTTP server', () => {
  test('is healthy even when it is not ready, so that a restart is not tried against an outage elsewhere', async () => {
    const response = await get('/healthz', { ready: () => ({ ok: false, detail: 'Temporal is down' }) });
    expect(response.status).toBe(200);
  });

  test('says why it is not ready', async () => {
    const response = await get('/readyz?verbose', {
      ready: () => Promise.resolve({ ok: false, detail: 'no reconcile yet' }),
    });
    expect([response.status, await response.text()]).toEqual([503, 'no reconcile yet\n']);
  });

  test('is ready when the program is', async () => {
    const response = await get('/readyz');
    expect([response.status, await response.text()]).toEqual([200, 'all is well\n']);
  });

  test('is not ready when the check itself fails', async () => {
    const response = await get('/readyz', { ready: () => Promise.reject(new Error('no connection')) });
    expect([response.status, await response.text()]).toEqual([503, 'no connection\n']);
  });

  test('serves the registry’s metrics and those of others in one answer', async () => {
    const metrics = new Registry();
    new Counter({ name: 'kubeip_test_total', help: 'Test.', registers: [metrics] }).inc(3);
    const response = await get('/metrics', {
      metrics,
      extraMetrics: () => Promise.resolve('other_metric 1\n'),
    });
    expect(response.headers.get('content-type')).toBe(metrics.contentType);
    const lines = (await response.text()).split('\n');
    expect(lines).toEqual(expect.arrayContaining(['kubeip_test_total 3', 'other_metric 1']));
  });

  test('keeps its own metrics when the others cannot be had', async () => {
    const metrics = new Registry();
    new Counter({ name: 'kubeip_test_total', help: 'Test.', registers: [metrics] }).inc(3);
    const response = await get('/metrics', {
      metrics,
      extraMetrics: () => Promise.reject(new Error('gone')),
    });
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('kubeip_test_total 3');
  });

  test('answers 404 for what there is not, and 405 for what may not be done', async () => {
    expect((await get('/')).status).toBe(404);
    await server?.close();
    const response = await get('/metrics', {}, { method: 'POST' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  test('ends although a client keeps its connection open', async () => {
    await get('/healthz');
    await server?.close();
    await expect(fetch(`${server?.url ?? ''}/healthz`)).rejects.toThrow();
    server = undefined;
  });
});
