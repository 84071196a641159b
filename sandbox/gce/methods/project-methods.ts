/** The methods of `projects`, and what clients ask about places before they begin. */
import { checkRegion, checkZone } from '../places.ts';
import { link, renderProject } from '../render.ts';
import { regionOf } from '../places.ts';
import type { GceMethod } from './method.ts';

export const projectMethods: Readonly<Record<string, GceMethod>> = {
  'projects.get': {
    http: 'GET',
    path: 'projects/{project}',
    query: [],
    mutating: false,
    run: ({ project }) => renderProject(project),
  },

  'zones.get': {
    http: 'GET',
    path: 'projects/{project}/zones/{zone}',
    query: [],
    mutating: false,
    run({ project, path: { zone = '' } }) {
      checkZone(zone);
      const region = link(project, `regions/${regionOf(zone)}`);
      return {
        kind: 'compute#zone',
        name: zone,
        status: 'UP',
        region,
        selfLink: link(project, `zones/${zone}`),
      };
    },
  },

  'regions.get': {
    http: 'GET',
    path: 'projects/{project}/regions/{region}',
    query: [],
    mutating: false,
    run({ project, path: { region = '' } }) {
      checkRegion(region);
      return {
        kind: 'compute#region',
        name: region,
        status: 'UP',
        selfLink: link(project, `regions/${region}`),
      };
    },
  },
};
