/** The Dockerfile is held to the facts that it repeats, and to what Kubernetes asks of an image. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { validate } from 'dockerfile-utils';
import { launcher } from '../../deploy/image/programs.ts';
import { argsOf, contextPaths, dockerfileText, readStages, root } from './dockerfile.ts';

const stages = readStages();
const [build = [], node = [], image = []] = stages;
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  devDependencies: Record<string, string>;
  license: string;
  description: string;
};

test('a linter of Dockerfiles finds nothing', () => {
  expect(validate(dockerfileText)).toEqual([]);
});

test('it has three stages: the build, Node.js, and the image', () => {
  expect(stages).toHaveLength(3);
});

test('build and image use the Node.js that developers use, pinned to its patch version', () => {
  const from = `node:${manifest.devDependencies['node']}-trixie-slim`;
  expect(argsOf(build, 'FROM')).toEqual([`${from} AS build`]);
  expect(argsOf(node, 'FROM')).toEqual([`${from} AS node`]);
});

test('the build runs on the builder’s platform, and nothing runs on the image’s', () => {
  expect(build[0]?.flags).toEqual(['--platform=$BUILDPLATFORM']);
  expect(argsOf([...node, ...image], 'RUN')).toEqual([]);
});

test('no package’s scripts run in the build', () => {
  expect(argsOf(build, 'RUN')[0]).toBe('npm ci --ignore-scripts');
});

test('it runs as a number that is not root', () => {
  expect(argsOf(image, 'USER')).toEqual(['65532:65532']);
});

test('it is told to stop by SIGTERM, and leaves probes to the chart', () => {
  expect(argsOf(image, 'STOPSIGNAL')).toEqual(['SIGTERM']);
  expect(argsOf(image, 'HEALTHCHECK')).toEqual([]);
});

test('the first argument is the program: there is no entry point, and the launchers are on the PATH', () => {
  expect(argsOf(stages, 'ENTRYPOINT')).toEqual([]);
  expect(argsOf(image, 'ENV').join(' ')).toMatch(/ PATH=\/app\/bin:/);
});

test('the launchers find Node.js where the image has it', () => {
  const nodePath = argsOf(image, 'COPY')[0]?.split(' ')[1];
  expect(readFileSync(join(root, 'deploy/image/stage.ts'), 'utf8')).toContain(`'${nodePath}'`);
  expect(launcher(nodePath ?? '', 'x')).toMatch(/^#!\/usr\/local\/bin\/node\n/);
});

test('its labels say what package.json says', () => {
  const labels = argsOf(image, 'LABEL').join(' ');
  expect(labels).toContain(`licenses="${manifest.license}"`);
  expect(labels).toContain(`description="${manifest.description}"`);
  expect(labels).toContain(`base.name="${argsOf(image, 'FROM')[0]}"`);
});

test('what .dockerignore lets pass is there', () => {
  expect(contextPaths().filter((path) => !existsSync(join(root, path)))).toEqual([]);
});
