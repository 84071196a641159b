/** `npm run sandbox -- --example`: one machine and one address on each cloud, and the files with which its Node gets the address. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { nodeOf } from './nodes.ts';
import { availabilityDomain, zoneLabelOf } from './oci/places.ts';
import type { World } from './world.ts';

export interface Example {
  /** Of worker and watcher: a pool for each cloud. */
  readonly configFile: string;
  /** For `kubectl apply`: the Node of each machine. */
  readonly nodesFile: string;
}

interface Machine {
  /** What its pool says of where it is. */
  readonly place: { readonly region: string; readonly account?: string; readonly endpoint?: string };
  readonly filter: string;
  readonly zone: string;
  readonly providerID: string;
}

/** @returns where its files are, in the world's folder */
export function writeExample(world: World): Example {
  const machines = { aws: ec2Machine(world), gcp: gceMachine(world), oci: ociMachine(world) };
  const pools = Object.entries(machines).map(([cloud, { place, filter }]) => ({
    name: cloud,
    provider: cloud,
    ...place,
    nodeSelector: { matchLabels: { cloud } },
    filter,
  }));
  const nodes = Object.entries(machines).map(([cloud, { place, zone, providerID }]) => {
    const labels = { cloud };
    const { metadata, spec } = nodeOf({
      name: `${cloud}-node`,
      region: place.region,
      zone,
      providerID,
      labels,
    });
    return { apiVersion: 'v1', kind: 'Node', metadata, spec };
  });
  const configFile = join(world.dir, 'kubeip.yaml');
  const nodesFile = join(world.dir, 'nodes.yaml');
  writeFileSync(configFile, stringify({ cluster: 'sandbox', pools }));
  writeFileSync(nodesFile, nodes.map((node) => stringify(node)).join('---\n'));
  return { configFile, nodesFile };
}

const tags = { kubeip: 'reserved' };

function ec2Machine({ ec2 }: World): Machine {
  ec2.allocateAddress({ tags });
  const zone = `${ec2.region}a`;
  const { instanceId } = ec2.runInstance({ zone, publicIp: true, tags: { Name: 'aws-node' } });
  const place = { region: ec2.region };
  return {
    place,
    filter: 'Name=tag:kubeip,Values=reserved',
    zone,
    providerID: `aws:///${zone}/${instanceId}`,
  };
}

function gceMachine({ gce }: World): Machine {
  gce.reserveAddress({ name: 'reserved-1', labels: tags });
  const zone = `${gce.region}-b`;
  const { providerId: providerID } = gce.insertInstance({ name: 'gcp-node', zone });
  const place = { region: gce.region, account: gce.projectId, endpoint: gce.url };
  return { place, filter: 'labels.kubeip=reserved', zone, providerID };
}

function ociMachine({ oci }: World): Machine {
  oci.reservePublicIp({ freeformTags: tags });
  const { providerId: providerID } = oci.launchInstance({ displayName: 'oci-node' });
  const zone = zoneLabelOf(availabilityDomain(oci.region, 1));
  const place = { region: oci.region, account: oci.compartmentId, endpoint: oci.url };
  return { place, filter: 'freeformTags.kubeip=reserved', zone, providerID };
}
