/** How regions and availability domains are written. */

/** The two oldest regions have other names where they are shown ("Instance", API reference), and in their domains. */
const oldest: Readonly<Record<string, { readonly shown: string; readonly domain: string }>> = {
  'us-ashburn-1': { shown: 'iad', domain: 'US-ASHBURN' },
  'us-phoenix-1': { shown: 'phx', domain: 'PHX' },
};

/** @returns the region as an instance shows it, and OKE in its Node's label */
export function shownRegion(region: string): string {
  return oldest[region]?.shown ?? region;
}

/** @returns a name as `Emul:EU-FRANKFURT-1-AD-1` */
export function availabilityDomain(region: string, number: number): string {
  return `Emul:${oldest[region]?.domain ?? region.toUpperCase()}-AD-${number}`;
}

/** @returns what OKE writes into a Node's zone label: the domain without its prefix, since a label holds no colon */
export function zoneLabelOf(domain: string): string {
  return domain.slice(domain.indexOf(':') + 1);
}
