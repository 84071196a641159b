/** Where the browser of the browser tests comes from, and what is said if there is none. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type ChromiumOptions, resolveChromium } from '../../sandbox/tools/chromium.ts';
import { silentProgress } from '../../sandbox/tools/progress.ts';

/** A machine of its own: a PATH with nothing but what a test puts there. */
let machine: string;
let options: ChromiumOptions & { env: NodeJS.ProcessEnv };

beforeEach(() => {
  machine = mkdtempSync(join(tmpdir(), 'kubeip-chromium-'));
  mkdirSync(join(machine, 'bin'));
  options = {
    env: { PATH: join(machine, 'bin'), XDG_CACHE_HOME: join(machine, 'cache'), HOME: machine },
    progress: silentProgress,
    playwrightPath: join(machine, 'playwright/chrome'),
    canInstall: true,
  };
});
afterEach(() => rmSync(machine, { recursive: true, force: true }));

function script(file: string, body: string): string {
  const path = join(machine, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return path;
}

const browser = (file: string, name: string): string => script(file, `echo '${name}'`);

test('a path in the environment comes before the PATH', async () => {
  browser('bin/chromium', 'Chromium 150.0.1.1');
  const mine = browser('mine/chrome', 'Google Chrome 151.0.2.2');
  options.env['KUBEIP_SANDBOX_CHROMIUM'] = mine;
  expect(await resolveChromium(options)).toEqual({ path: mine, version: '151.0.2.2', source: 'environment' });
});

test('a path in the environment where no browser runs is an error that names it: nothing else is used', async () => {
  browser('bin/chromium', 'Chromium 150.0.1.1');
  options.env['KUBEIP_SANDBOX_CHROMIUM'] = join(machine, 'no-such-file');
  await expect(resolveChromium(options)).rejects.toThrow(
    /KUBEIP_SANDBOX_CHROMIUM is .*no-such-file, where no Chromium runs/,
  );
});

test('a wrapper on the PATH that only says what to install is passed over', async () => {
  script('bin/chromium', 'echo "Command requires the chromium snap to be installed"; exit 1');
  const chrome = browser('bin/google-chrome', 'Google Chrome 150.0.1.1 ');
  expect(await resolveChromium(options)).toMatchObject({ path: chrome, source: 'path' });
});

test("Playwright's own download comes before an installation", async () => {
  const path = browser('playwright/chrome', 'Google Chrome for Testing 149.0.3.3');
  expect(await resolveChromium(options)).toEqual({ path, version: '149.0.3.3', source: 'playwright' });
});

test("Debian's package is installed where nothing is found, by one of several processes", async () => {
  script(
    'bin/apt-get',
    `for last in "$@"; do :; done
echo "$last" >> '${machine}/asked'
[ "$last" = chromium ] || exit 0
printf '#!/bin/sh\\necho Chromium 156.0.4.4 built on Debian\\n' > '${machine}/bin/chromium'
/bin/chmod 755 '${machine}/bin/chromium'`,
  );
  const both = await Promise.all([resolveChromium(options), resolveChromium(options)]);
  expect(both.map(({ version }) => version)).toEqual(['156.0.4.4', '156.0.4.4']);
  expect(both.map(({ source }) => source).sort()).toEqual(['package', 'path']);
});

test('who may not install is told what to do', async () => {
  script('bin/apt-get', `echo > '${machine}/asked'`);
  await expect(resolveChromium({ ...options, canInstall: false })).rejects.toThrow(
    /There is no Chromium.*apt-get install chromium.*KUBEIP_SANDBOX_CHROMIUM/,
  );
  expect(existsSync(join(machine, 'asked'))).toBe(false);
});

test('an installation that fails says why, and what to do', async () => {
  script('bin/apt-get', 'echo "E: Unable to locate package chromium"; exit 100');
  await expect(resolveChromium(options)).rejects.toThrow(
    /Unable to locate package chromium[^]*KUBEIP_SANDBOX_CHROMIUM/,
  );
});
