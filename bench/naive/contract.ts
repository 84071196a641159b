/** What the yardstick has for itself: types and names, so that its workflows can import it. */
import type { AddressRef, Association, InstanceRef } from '../../model/address.ts';

export const naiveTaskQueue = 'bench/naive';

export interface NaiveActivities {
  /** The call alone, as short as a lock can hold it: the project's own activity reads back and tells the group commit's mutex. */
  associateOnly(input: { instance: InstanceRef; address: AddressRef }): Promise<Association>;
}
