/** kubeconfig files for one cluster and one user with a bearer token. */
import { chmodSync, writeFileSync } from 'node:fs';
import { stringify } from 'yaml';

export interface KubeconfigContent {
  readonly server: string;
  /** PEM */
  readonly certificateAuthority: string;
  readonly user: string;
  readonly token: string;
}

/** Writes the file, readable by its owner only: it holds a credential. */
export function writeKubeconfig(file: string, content: KubeconfigContent): void {
  const cluster = 'kubeip-sandbox';
  const context = `${content.user}@${cluster}`;
  const certificateAuthority = Buffer.from(content.certificateAuthority).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': context,
    clusters: [
      {
        name: cluster,
        cluster: { server: content.server, 'certificate-authority-data': certificateAuthority },
      },
    ],
    users: [{ name: content.user, user: { token: content.token } }],
    contexts: [{ name: context, context: { cluster, user: content.user } }],
  };
  writeFileSync(file, stringify(config, { lineWidth: 0 }), { mode: 0o600 });
  chmodSync(file, 0o600); // a file that was there before keeps its mode otherwise
}
