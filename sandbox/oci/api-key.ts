/** The API signing key of the emulator's user, and the configuration file that Oracle's tools read it from. */
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ApiKey {
  /** `<tenancy>/<user>/<fingerprint>`, as requests name it. */
  readonly keyId: string;
  readonly publicKey: KeyObject;
}

export interface WrittenKey {
  readonly key: ApiKey;
  /** As `~/.oci/config`. */
  readonly configFile: string;
  remove(): void;
}

/** Makes a key, and writes it into a folder of its own ("SDK and CLI Configuration File"). */
export function writeApiKey(who: {
  readonly tenancyId: string;
  readonly userId: string;
  readonly region: string;
}): WrittenKey {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const publicKey = createPublicKey(privateKey);
  const fingerprint = fingerprintOf(publicKey);
  const folder = mkdtempSync(join(tmpdir(), 'kubeip-oci-'));
  const keyFile = join(folder, 'key.pem');
  const configFile = join(folder, 'config');
  const lines = [
    '[DEFAULT]',
    `user=${who.userId}`,
    `fingerprint=${fingerprint}`,
    `key_file=${keyFile}`,
    `tenancy=${who.tenancyId}`,
    `region=${who.region}`,
    '',
  ];
  writeFileSync(keyFile, privateKey, { mode: 0o600 });
  writeFileSync(configFile, lines.join('\n'), { mode: 0o600 });
  return {
    key: { keyId: `${who.tenancyId}/${who.userId}/${fingerprint}`, publicKey },
    configFile,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** MD5 of the public key in DER, as the console shows it. */
function fingerprintOf(publicKey: KeyObject): string {
  const hex = createHash('md5')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
  return hex.match(/../g)?.join(':') ?? hex;
}
