// Random drivers of every device over every transport, in both ring formats: whatever is written to registers, configuration space, base
// address registers and rings, at any width and time, nothing fails or hangs, and what is reported, stopped at or switched off never
// changes what the guest sees.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AccessSize } from '../../../emulator/bus/access';
import { memoryMap } from '../../../emulator/board/memory-map';
import { feature } from '../../../emulator/virtio/spec/feature';
import { Bench, blockDevice, consoleDevice, entropyDevice, netDevice } from '../../driver/bench';
import { readSector } from '../../driver/block';
import { type Combination, driverOf, forbidden, offerOf, reaches, reachName } from '../../driver/combination';
import type { ScriptedDriver } from '../../driver/driver';
import { LegacyPciDriver } from '../../driver/legacy-pci-driver';
import { PackedPciDriver } from '../../driver/packed-pci-driver';
import { PciBus } from '../../driver/pci-bus';
import { PciDriver } from '../../driver/pci-driver';

interface Action {
  readonly space:
    'config' | 'bar' | 'port' | 'slot' | 'ring' | 'high' | 'request' | 'interrupt' | 'run' | 'discover' | 'start';
  readonly offset: number;
  readonly size: AccessSize;
  readonly write: number | undefined;
}

const value = fc.oneof(
  fc.constantFrom(0, 1, 2, 4, 7, 8, 0x0f, 0x80, 0xff, 0xfff, 0x8000, 0xffff, 0x4000_0000, 0x8001_0000, 0xffff_ffff),
  fc.nat(0xffff_ffff),
);
const offset = fc.oneof(
  { weight: 3, arbitrary: fc.nat(0xff) },
  { weight: 2, arbitrary: fc.constantFrom(0, 4, 0x10, 0x14, 0x20, 0x24, 0x34, 0x40, 0x50, 0x60, 0x70, 0x80, 0x84, 0x88, 0x8c, 0x90, 0x94) },
  { weight: 2, arbitrary: fc.constantFrom(0x1000, 0x2000, 0x3000, 0x3004, 0x3800) },
  { weight: 1, arbitrary: fc.nat(0x3fff) },
); // prettier-ignore
const action: fc.Arbitrary<Action> = fc.record({
  space: fc.constantFrom(
    ...['config', 'config', 'bar', 'bar', 'bar', 'port', 'port', 'slot', 'slot', 'ring', 'high'] as const,
    ...['request', 'interrupt', 'run', 'discover', 'start'] as const,
  ),
  offset,
  size: fc.constantFrom<AccessSize>(1, 2, 4, 8),
  write: fc.option(value, { nil: undefined }),
}); // prettier-ignore

const devices = [blockDevice, consoleDevice, entropyDevice, netDevice];
const [console0, network] = [1, 3];

/** The bus of a driver on PCI. */
function busOf(d: ScriptedDriver): PciBus | undefined {
  if (d instanceof PciDriver || d instanceof LegacyPciDriver) return d.bus;
  return d instanceof PackedPciDriver ? d.registers.bus : undefined;
}

/** One request that makes sense to the device, or nearly. */
function request(d: ScriptedDriver, device: number): void {
  if (device === 0) {
    readSector(d);
    return;
  }
  const queue = d.queue();
  d.publish(queue, d.addChain(queue, [{ address: d.buffer(), length: 1600, deviceWritable: true }]));
  d.notifyIfWanted(queue);
  if (device === console0) d.bench.input('console0', Uint8Array.of(1, 2, 3));
  if (device === network) d.bench.input('net0', new Uint8Array(100).fill(0xff));
  d.bench.run(2_000);
  if (d.hasUsed(queue)) d.collect(queue);
}

/** The driver's own steps may fail when the device was left in pieces; only what the machine does counts. */
function tried(step: () => void): void {
  try {
    step();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    assert.match(
      text,
      /used nothing|not placed|no structure|is not set up|does not finish|no free buffer id|not outstanding/,
      text,
    );
  }
}

/** A device in pieces may never finish its reset: the driver then gives up. */
function start(d: ScriptedDriver): void {
  d.awaitReset = (): void => {
    for (let turn = 0; d.read('Status') !== 0; turn++) if (turn > 3) throw new Error('the reset does not finish');
  };
  tried(() => d.start());
}

function run(
  actions: readonly Action[],
  combination: Combination,
  device: number,
  rules: Readonly<Record<string, string>>,
): Bench {
  const { reach } = combination;
  const pci = reach.transport.startsWith('pci') ? { pci: { msixVectors: 3 } } : {};
  const make = devices[device] ?? blockDevice;
  const queueSize = reach.transport.startsWith('pci') && reach.legacy ? { queueSize: 8 } : {};
  const configuration = make({ ...offerOf(combination), ...pci, ...queueSize });
  const bench = new Bench({ devices: [configuration], rules, eventCapacity: 2000 });
  const d = driverOf(bench, combination);
  start(d);
  const bus = new PciBus(bench, 1);
  const bars = busOf(d)?.bars;
  const bases: Readonly<Record<'config' | 'bar' | 'port' | 'slot' | 'ring' | 'high', number>> = {
    config: bus.address(0),
    bar: bars?.get(4) ?? memoryMap.pcieMemory32.base,
    port: bars?.get(0) ?? memoryMap.pcieIo.base + 0x100,
    slot: bench.slot(7),
    ring: d.placeQueue(0).descriptors,
    high: memoryMap.pcieMemory64.base,
  };
  for (const { space, offset: at, size, write } of actions) {
    switch (space) {
      case 'request':
        tried(() => request(d, device));
        break;
      case 'interrupt':
        tried(() => d.serveInterrupt());
        break;
      case 'run':
        bench.run(3_000);
        break;
      case 'discover':
        tried(() => bus.discover());
        break;
      case 'start':
        start(d);
        break;
      default: {
        const limit =
          space === 'config'
            ? at < 0x1000
              ? 0x100
              : 0x1000
            : space === 'port'
              ? 0x80
              : space === 'slot'
                ? 0x180
                : 0x4000;
        const place = (at % limit) - ((at % limit) % size);
        if (write === undefined) bench.load(bases[space] + place, size);
        else bench.store(bases[space] + place, size, write);
      }
    }
  }
  bench.run(30_000);
  bench.idle();
  return bench;
}

for (const reach of reaches) {
  for (const ring of ['split', 'packed'] as const) {
    if (forbidden({ reach, ring, features: [] }) !== undefined) continue;
    const combination = { reach, ring, features: [feature.EVENT_IDX, feature.INDIRECT_DESC] };
    test(`random drivers of ${reachName(reach)}, ${ring} rings`, () => {
      fc.assert(
        fc.property(
          fc.array(action, { minLength: 5, maxLength: 40 }),
          fc.nat(devices.length - 1),
          (actions, device) => {
            const reported = run(actions, combination, device, { must: 'report' });
            const stopped = run(actions, combination, device, { must: 'break', should: 'break', hazard: 'break' });
            const silent = run(actions, combination, device, { '*': 'off' });
            assert.equal(stopped.state(), reported.state());
            assert.equal(silent.state(), reported.state());
            const essence = (bench: Bench): unknown =>
              bench.monitor.violations.map(({ rule, pc, step, queue, message, count }) => [
                rule,
                pc,
                step,
                queue,
                message,
                count,
              ]);
            assert.deepEqual(essence(stopped), essence(reported));
            assert.deepEqual(silent.monitor.violations, []);
          },
        ),
        { numRuns: 12, endOnFailure: true, seed: 20261121 },
      );
    });
  }
}
