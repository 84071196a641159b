/** aggregatedList: one page over all zones or regions, its items by their location. */
import { compileFilter, type FilterFields } from '../list-filter.ts';
import { cutPage } from '../list-pages.ts';
import type { Location } from '../places.ts';
import { locationPath, type Json } from '../render.ts';
import type { MethodCall } from './method.ts';

export function runAggregatedList<Item extends { readonly sequence: number; readonly name: string }>(
  { project, query }: MethodCall,
  items: readonly Item[],
  options: {
    readonly kind: string;
    /** As `addresses`. */
    readonly collection: string;
    readonly fields: FilterFields;
    readonly locationOf: (item: Item) => Location;
    readonly render: (item: Item) => Json;
  },
): Json {
  const matches = compileFilter(query.get('filter') ?? '', options.fields);
  const page = cutPage(
    items.filter((item) => matches(options.render(item))),
    Object.fromEntries(query),
  );
  const byLocation = new Map<string, Json[]>();
  for (const item of page.items) {
    const place = locationPath(options.locationOf(item));
    byLocation.set(place, [...(byLocation.get(place) ?? []), options.render(item)]);
  }
  return {
    kind: options.kind,
    id: project.path(`aggregated/${options.collection}`),
    items: Object.fromEntries(
      [...byLocation].map(([place, found]) => [place, { [options.collection]: found }]),
    ),
    nextPageToken: page.nextPageToken,
  };
}
