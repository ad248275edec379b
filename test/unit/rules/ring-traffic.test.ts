// Legal random traffic through every combination of transport, ring format and features finds no violation; the same traffic with one
// mistake of a list finds exactly the rule for that mistake. [virtio 1.4, 2.7, 2.8, 4.1, 4.2]
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { reaches, reachName } from '../../driver/combination';
import { action, devices, formats, sized, told, Traffic } from '../../driver/traffic';
import { orderMistakes } from './mistakes/order';
import { proveFound } from './mistakes/mistake';
import { ringMistakes } from './mistakes/ring';
import { transportMistakes } from './mistakes/transport';

for (const reach of reaches) {
  test(`legal traffic over ${reachName(reach)} is told nothing, in every format with every set of features`, () => {
    for (const format of formats.filter((each) => each.reach === reach)) {
      const actions = fc.array(action, { minLength: 5, maxLength: 50 });
      fc.assert(
        fc.property(sized(format), fc.constantFrom(...devices), actions, (ring, device, each) => {
          const traffic = new Traffic(ring, device);
          for (const one of each) traffic.act(one);
          traffic.finish();
          assert.equal(told(traffic.bench), '');
          const events = traffic.bench.monitor.events.slice();
          const statuses = events.flatMap((event) => (event.kind === 'request' ? [event.status] : []));
          assert.ok(
            statuses.every((status) => status === undefined || status === 'VIRTIO_BLK_S_OK'),
            statuses.join(),
          );
        }),
        { numRuns: reach.legacy ? 8 : 2, seed: 20261121 },
      );
    }
  });
}

const mistakes = { rings: ringMistakes, transports: transportMistakes, order: orderMistakes };
for (const [kind, list] of Object.entries(mistakes)) {
  describe(`one mistake is found by its rule: ${kind}`, () => {
    for (const mistake of list) test(mistake.name, () => proveFound(mistake));
  });
}
