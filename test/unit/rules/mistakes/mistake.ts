// One mistake at the end of legal traffic: what it is, where it applies, and the rule that has to name it.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { action, causes, formats, type Ring, sized, told, Traffic } from '../../../driver/traffic';

export interface Mistake {
  readonly name: string;
  /** Absent: everywhere. */
  readonly applies?: (ring: Ring) => boolean;
  readonly rule: (ring: Ring) => string;
  readonly make: (t: Traffic) => void;
}

export const either = (split: string, packed: string) => (ring: Ring) => (ring.packed ? packed : split);
export const isSplit = ({ packed }: Ring): boolean => !packed;
export const isPacked = ({ packed }: Ring): boolean => packed;
export const isModern = ({ reach }: Ring): boolean => !reach.legacy;
export const isLegacy = ({ reach }: Ring): boolean => reach.legacy;
export const isPci = ({ reach }: Ring): boolean => reach.transport.startsWith('pci');
export const isMmio = (ring: Ring): boolean => !isPci(ring);
/** All of these at once. */
export const all =
  (...conditions: readonly ((ring: Ring) => boolean)[]) =>
  (ring: Ring): boolean =>
    conditions.every((condition) => condition(ring));

/** Random legal traffic in which nothing is told, then the mistake, of which exactly its rule is told. */
export function proveFound({ applies, rule, make }: Mistake): void {
  const fitting = formats.filter((format) => applies?.({ ...format, queueSize: 8 }) ?? true);
  assert.ok(fitting.length > 0, 'the mistake can be made somewhere');
  fc.assert(
    fc.property(fc.constantFrom(...fitting).chain(sized), fc.array(action, { maxLength: 20 }), (ring, actions) => {
      const traffic = new Traffic(ring);
      for (const each of actions) traffic.act(each);
      traffic.finish();
      // The device has gone to rest, so that it wants to be notified of what follows.
      traffic.bench.run(20_000);
      assert.equal(told(traffic.bench), '');
      make(traffic);
      traffic.bench.run(30_000);
      assert.deepEqual(causes(traffic.bench), [rule(ring)], told(traffic.bench));
    }),
    { numRuns: 10, seed: 20261121 },
  );
}
