// What the monitor and the clock keep of a driver that makes request after request: as much after very many as after a few.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStamped } from '../../../emulator/record/stamp';
import { Bench, blockDevice } from '../../driver/bench';
import { readSector } from '../../driver/block';
import { ScriptedDriver } from '../../driver/driver';
import { PackedDriver, packedFeatures } from '../../driver/packed-driver';

/** Entries of all lists, maps, sets and objects in plain data; a recorded event counts as one, with the chains it carries. */
function entriesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  if (value instanceof Map) return [...value.values()].reduce<number>((sum, item) => sum + entriesIn(item), value.size);
  if (value instanceof Set) return value.size;
  if (isStamped(value)) return 1;
  return Object.values(value).reduce<number>((sum, item) => sum + entriesIn(item), 1);
}

const requests = 10_000;
const fewRequests = 1000;
const capacity = 2000;

for (const format of ['split', 'packed'] as const) {
  test(`a long run of requests on a ${format} ring leaves no more behind than a short one`, () => {
    const featuresOn = format === 'packed' ? packedFeatures : 0n;
    const bench = new Bench({ devices: [blockDevice({ featuresOn })], eventCapacity: capacity });
    const driver = format === 'packed' ? new PackedDriver(bench) : new ScriptedDriver(bench);
    driver.start();
    const kept: number[] = [];
    for (let done = 1; done <= requests; done++) {
      readSector(driver, done % 8);
      if (done === fewRequests || done === requests) kept.push(entriesIn([bench.monitor.save(), bench.clock.save()]));
    }
    const [few = 0, many = Infinity] = kept;
    assert.ok(many <= few, `${few} entries after ${fewRequests} requests, ${many} after ${requests}`);
    const { events } = bench.monitor;
    assert.ok(events.length > 10 * requests);
    assert.ok(events.length - events.first <= capacity);
  });
}
