/** What a kubelet reports of its node: about as large as on a machine that runs a dozen pods, so that memory is measured on it. */
import { createHash } from 'node:crypto';
import type { V1NodeStatus } from '@kubernetes/client-node';

/** A kubelet names fifty images at most (its setting nodeStatusMaxImages). */
const IMAGES = 50;

export function kubeletStatus(node: string): V1NodeStatus {
  const now = new Date();
  const capacity = { cpu: '8', memory: '32Gi', pods: '58', 'ephemeral-storage': '83873772Ki' };
  return {
    capacity,
    allocatable: capacity,
    addresses: [
      { type: 'Hostname', address: node },
      { type: 'InternalDNS', address: `${node}.eu-west-1.compute.internal` },
    ],
    conditions: ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'].map((type) => ({
      type,
      status: type === 'Ready' ? 'True' : 'False',
      reason: `Kubelet${type}`,
      message: `kubelet says that ${type} is as it should be`,
      lastHeartbeatTime: now,
      lastTransitionTime: now,
    })),
    nodeInfo: {
      architecture: 'amd64',
      bootID: digest(`boot ${node}`).slice(0, 36),
      containerRuntimeVersion: 'containerd://2.1.4',
      kernelVersion: '6.12.40-64.114.amzn2023.x86_64',
      kubeProxyVersion: '',
      kubeletVersion: 'v1.34.2',
      machineID: digest(`machine ${node}`).slice(0, 32),
      operatingSystem: 'linux',
      osImage: 'Amazon Linux 2023',
      systemUUID: digest(`system ${node}`).slice(0, 36),
    },
    images: Array.from({ length: IMAGES }, (_, n) => ({
      names: [
        `registry.example.com/team-${n % 7}/service-${n}@sha256:${digest(`image ${n}`)}`,
        `registry.example.com/team-${n % 7}/service-${n}:v1.${n}.0`,
      ],
      sizeBytes: 50_000_000 + n,
    })),
  };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
