// Whatever a guest does to the board's registers: nothing throws, peeks have no effect, and equal accesses give equal machines.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AccessSize, MmioRegion } from '../../../emulator/bus/access';
import { AddressMap } from '../../../emulator/bus/address-map';
import { createBoard } from '../../../emulator/board/board';
import { asCpu, bench, by, configuration, IdleCpu, memoryOf } from './bench';

function make() {
  const b = bench(2);
  const cpu = new IdleCpu(2, 8 << 20);
  return {
    b,
    cpu,
    make: () => createBoard(b.context, configuration({ harts: 2, memoryBytes: 8 << 20 }), asCpu(cpu), memoryOf(cpu)),
  };
}

/** Offsets where registers are, and any others. */
const interesting: Readonly<Record<string, readonly number[]>> = {
  clint: [0, 4, 8, 0x4000, 0x4008, 0x4010, 0xbff8, 0xbffc],
  plic: [0, 4, 0x180, 0x1000, 0x2000, 0x2080, 0x20_0000, 0x20_0004, 0x20_1004],
};
const size = fc.constantFrom<AccessSize>(1, 2, 4, 8);
const valueBits = fc.oneof(fc.bigInt({ min: 0n, max: 255n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));

function accesses(region: MmioRegion) {
  const offset = fc.oneof(
    fc.integer({ min: 0, max: Math.min(region.sizeBytes, 0x400) - 1 }),
    fc.integer({ min: 0, max: region.sizeBytes - 1 }),
    fc.constantFrom(...(interesting[region.name] ?? [0])),
  );
  return fc.array(
    fc.record({
      kind: fc.constantFrom('read', 'write', 'pass', 'input'),
      offset,
      size,
      value: valueBits,
    }),
    { maxLength: 60 },
  );
}

const names = make()
  .make()
  .regions.map((region) => region.name);

for (const name of names) {
  test(`any accesses to ${name} are survived, peeks change nothing, a restored board behaves equally`, () => {
    const prototype = make()
      .make()
      .regions.find((region) => region.name === name);
    assert.ok(prototype);
    fc.assert(
      fc.property(accesses(prototype), accesses(prototype), (before, after) => {
        const { b, make: build } = make();
        const board = build();
        const map = new AddressMap(board.regions);
        const { base } = prototype;
        const run = (list: typeof before): unknown[] =>
          list.map(({ kind, offset, size: width, value }) => {
            const address = base + offset;
            const state = JSON.stringify(board.save(), textOfBigInts);
            const shown = map.peek(address, width);
            assert.equal(JSON.stringify(board.save(), textOfBigInts), state, 'a peek has no effect');
            switch (kind) {
              case 'read': {
                const got = map.load(address, width, by);
                assert.equal(got === 'fault' ? undefined : got, shown, 'a peek shows what a read gives');
                assert.ok(got === 'fault' || got < 1n << BigInt(width * 8), 'zero-extended');
                return got;
              }
              case 'write':
                return map.store(address, width, BigInt.asUintN(width * 8, value), by);
              case 'pass':
                b.pass(Number(value % 1_000_000n));
                return undefined;
              default:
                board.input(Uint8Array.of(Number(value & 0xffn)));
                return undefined;
            }
          });
        run(before);
        const saved = structuredClone(board.save());
        const clock = structuredClone(b.clock.save());
        const now = b.clock.now();
        const first = run(after.filter(({ kind }) => kind !== 'pass'));
        assert.equal(b.clock.now(), now);
        board.restore(saved);
        b.clock.restore(clock);
        assert.deepEqual(run(after.filter(({ kind }) => kind !== 'pass')), first);
      }),
      { numRuns: 60 },
    );
  });
}

function textOfBigInts(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}
