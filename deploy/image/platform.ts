/** The platforms that the image is made for. */

export interface Platform {
  /** As Docker calls it. */
  readonly name: string;
  /** As npm calls the processor; so does Node.js. */
  readonly cpu: 'x64' | 'arm64';
  /** Folder of the Temporal SDK's native library (`@temporalio/core-bridge/common.js`). It needs glibc. */
  readonly coreBridge: string;
}

export const platforms: readonly Platform[] = [
  { name: 'linux/amd64', cpu: 'x64', coreBridge: 'x86_64-unknown-linux-gnu' },
  { name: 'linux/arm64', cpu: 'arm64', coreBridge: 'aarch64-unknown-linux-gnu' },
];

/** @throws Error if the image is not made for it */
export function platformNamed(name: string): Platform {
  const found = platforms.find((platform) => platform.name === name);
  if (found !== undefined) return found;
  const names = platforms.map((platform) => platform.name).join(', ');
  throw new Error(`--platform is "${name}"; the image is made for ${names}.`);
}

/** The platform with this machine's processor. */
export function platformHere(): string {
  return platforms.find(({ cpu }) => cpu === process.arch)?.name ?? `linux/${process.arch}`;
}
