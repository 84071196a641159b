import { expect, test } from '@jest/globals';
import { isTracingOn } from '../../program/tracing.ts';

const endpoint = 'http://collector:4318';

test.each([
  ['nothing is set', {}, false],
  ['the endpoint is empty, as a chart may leave it', { OTEL_EXPORTER_OTLP_ENDPOINT: '' }, false],
  ['an endpoint is set', { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }, true],
  [
    'an endpoint for traces alone is set',
    { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${endpoint}/v1/traces` },
    true,
  ],
  ['the SDK is disabled', { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SDK_DISABLED: 'TRUE' }, false],
  [
    'the SDK is expressly not disabled',
    { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SDK_DISABLED: 'false' },
    true,
  ],
  ['no exporter is wanted', { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_EXPORTER: 'none' }, false],
  ['only a name is set', { OTEL_SERVICE_NAME: 'kubeip' }, false],
])('traces where %s: %j is %s', (_, env, isOn) => {
  expect(isTracingOn(env)).toBe(isOn);
});
