// The APLIC's domains: delegation, source modes, both kinds of delivery. [RISC-V AIA 1.0, 4]
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AccessSize } from '../../../../emulator/bus/access';
import { by } from '../bench';
import { aiaBench, at, filesOf, select, sourceMode } from './aia';

test('a wire reaches the supervisor that it was delegated to, and the claims are heard', () => {
  const one = aiaBench('aplic', 2);
  const { b, controller, machine, supervisor, heard } = one;
  machine.write32(at.source(8), sourceMode.delegate);
  supervisor.write32(at.source(8), sourceMode.levelHigh);
  supervisor.write32(at.target(8), (1 << 18) | 3);
  supervisor.write32(at.setienum, 8);
  supervisor.write32(at.idelivery + 32, 1);
  controller.line(8).set(true);
  assert.equal(b.wire(1, 'SEIP'), false, 'the domain is off');
  supervisor.write32(at.domaincfg, 0x100);
  assert.equal(b.wire(1, 'SEIP'), true);
  assert.equal(b.wire(0, 'SEIP'), false);
  assert.equal(b.wire(1, 'MEIP'), false);
  assert.equal(supervisor.read32(at.claimi + 32), (8 << 16) | 3);
  assert.equal(b.wire(1, 'SEIP'), true, 'a level that stays up is pending still');
  controller.line(8).set(false);
  assert.equal(b.wire(1, 'SEIP'), false);
  assert.equal(supervisor.read32(at.claimi + 32), 0);
  assert.deepEqual(heard, ['claim 8 by 3', 'complete 8 by 3']);
});

test('a domain has what is delegated to it and nothing else', () => {
  const { machine, supervisor } = aiaBench('aplic');
  supervisor.write32(at.source(5), sourceMode.detached);
  assert.equal(supervisor.read32(at.source(5)), 0);
  machine.write32(at.source(5), sourceMode.delegate | 9);
  supervisor.write32(at.source(5), sourceMode.detached);
  supervisor.write32(at.setienum, 5);
  supervisor.write32(at.setipnum, 5);
  assert.equal(supervisor.read32(at.setip), 1 << 5);
  machine.write32(at.source(5), sourceMode.levelHigh);
  assert.equal(supervisor.read32(at.setip), 0);
  machine.write32(at.source(5), sourceMode.delegate);
  assert.equal(supervisor.read32(at.source(5)), 0, 'it begins anew');
  supervisor.write32(at.source(5), sourceMode.delegate);
  assert.equal(supervisor.read32(at.source(5)), 0, 'there is nobody below');
  for (const reserved of [2, 3]) {
    machine.write32(at.source(6), reserved);
    assert.equal(machine.read32(at.source(6)), 0);
  }
});

const modes = [
  { mode: 'edgeRising', from: false, to: true, stays: true },
  { mode: 'edgeFalling', from: true, to: false, stays: true },
  { mode: 'levelHigh', from: false, to: true, stays: false },
  { mode: 'levelLow', from: true, to: false, stays: false },
] as const;
for (const { mode, from, to, stays } of modes) {
  test(`${mode}: pending ${stays ? 'until it is claimed' : 'for as long as the wire asks'}`, () => {
    const { controller, machine } = aiaBench('aplic');
    controller.line(7).set(from);
    machine.write32(at.source(7), sourceMode[mode]);
    assert.equal(machine.read32(at.setip), 0);
    controller.line(7).set(to);
    assert.equal(machine.read32(at.setip), 1 << 7);
    assert.equal(machine.read32(at.input), 1 << 7);
    controller.line(7).set(from);
    assert.equal(machine.read32(at.setip), stays ? 1 << 7 : 0);
    assert.equal(machine.read32(at.input), 0);
    machine.write32(at.clripnum, 7);
    assert.equal(machine.read32(at.setip), 0);
    machine.write32(at.setipnum, 7);
    assert.equal(machine.read32(at.setip), stays ? 1 << 7 : 0, 'software makes no level');
  });
}

test('a wire becomes one message to the file that the target names; a level asks again when software says so', () => {
  const one = aiaBench('aplic-imsic', 2);
  const { b, controller, machine, supervisor, heard } = one;
  const files = filesOf(one);
  controller.delegateToSupervisor();
  assert.equal(supervisor.read32(at.domaincfg) >>> 0, 0x8000_0004, 'delivery by message');
  supervisor.write32(at.domaincfg, 0x100);
  supervisor.write32(at.source(33), sourceMode.levelHigh);
  supervisor.write32(at.target(33), (1 << 18) | 77);
  supervisor.write32(at.setie + 4, 1 << 1);
  files.write(1, 'S', select.eidelivery, 1n);
  files.write(1, 'S', select.eie + 2, 1n << 13n);
  controller.line(33).set(true);
  assert.equal(supervisor.read32(at.setip + 4), 0, 'sent, so not pending any more');
  assert.equal(files.top(1, 'S'), 77);
  assert.equal(b.wire(1, 'SEIP'), true);
  files.claim(1, 'S');
  assert.equal(b.wire(1, 'SEIP'), false);
  controller.line(33).set(true);
  assert.equal(files.top(1, 'S'), 0, 'the wire did not rise');
  supervisor.write32(at.setipnumLe, 33);
  assert.equal(files.top(1, 'S'), 77);
  files.claim(1, 'S');
  controller.line(33).set(false);
  supervisor.write32(at.setipnum, 33);
  assert.equal(files.top(1, 'S'), 0, 'no level, nothing to ask for');
  assert.deepEqual(heard, ['claim 33 by 3', 'complete 33 by 3', 'claim 33 by 3']);
  supervisor.write32(at.genmsi, (1 << 18) | 77);
  assert.equal(files.top(1, 'S'), 77);
  assert.equal(machine.read32(0x1bc8), 0x28000);
});

test("addresses of interrupt files can be locked, and are the root's alone", () => {
  const { machine, supervisor } = aiaBench('aplic-imsic');
  supervisor.write32(0x1bc0, 0x24000);
  assert.equal(supervisor.read32(0x1bc0), 0);
  machine.write32(0x1bc0, 0x24000);
  machine.write32(0x1bc4, -1);
  assert.equal(machine.read32(0x1bc4) >>> 0, 0x9f77_ffff);
  machine.write32(0x1bc0, 1);
  machine.write32(0x1bc4, 0);
  assert.equal(machine.read32(0x1bc0), 0x24000);
  assert.equal(machine.read32(0x1bc4) >>> 0, 0x9f77_ffff);
});

test("a message to where no interrupt file is, is nobody's", () => {
  const { controller } = aiaBench('aplic-imsic', 2);
  assert.equal(controller.take(0x2400_1000n, 1), true);
  for (const address of [0x2400_2000n, 0x2800_2000n, 0x23ff_fffcn, 0n, (1n << 64n) - 4n])
    assert.equal(controller.take(address, 1), false, address.toString(16));
  assert.equal(aiaBench('aplic').controller.take(0x2400_0000n, 1), false);
});

const runs = Number(process.env['FUZZ_RUNS'] ?? 150);
test('any access at any time is answered, peeks change nothing, and what is saved is all there is', () => {
  const access = fc.record({
    region: fc.nat(3),
    page: fc.constantFrom(0, 0x1b00, 0x1c00, 0x1d00, 0x1e00, 0x1f00, 0x2000, 0x3000, 0x4000, 0x7f00),
    offset: fc.nat(0xff),
    size: fc.constantFrom<AccessSize>(1, 2, 4, 4, 4, 4, 8),
    value: fc.oneof(
      fc.bigInt(0n, (1n << 32n) - 1n),
      fc.bigInt(0n, 0x7ffn),
      fc.constant(0x400n),
      fc.constant((1n << 64n) - 1n),
    ),
    act: fc.constantFrom('read', 'write', 'write', 'wire', 'select', 'claim'),
  });
  fc.assert(
    fc.property(fc.constantFrom('aplic', 'aplic-imsic'), fc.array(access, { maxLength: 60 }), (kind, accesses) => {
      const one = aiaBench(kind, 2);
      const { controller } = one;
      if (accesses.length % 2 === 0) controller.delegateToSupervisor();
      for (const { region, page, offset, size, value, act } of accesses) {
        const target = controller.regions[region % controller.regions.length];
        assert.ok(target);
        const place = Math.min((page + offset) & -size, target.sizeBytes - size);
        const hart = offset & 1;
        const level = region % 2 === 0 ? 'M' : 'S';
        if (act === 'wire') controller.line(1 + (offset % 96)).set((value & 1n) === 1n);
        else if (act === 'claim') controller.files?.claim(hart, level);
        else if (act === 'select') controller.files?.write(hart, level, offset, value);
        else if (act === 'write') assert.equal(target.write(place, size, value, by), size === 4);
        else assert.equal(target.read(place, size, by) === undefined, size !== 4);
      }
      const before = controller.save();
      for (const target of controller.regions)
        for (let place = 0; place < target.sizeBytes; place += 4) target.peek(place, 4);
      assert.deepEqual(controller.save(), before);
      const twin = aiaBench(kind, 2).controller;
      twin.restore(structuredClone(before));
      assert.deepEqual(twin.save(), before);
      controller.reset();
      assert.deepEqual(controller.save(), aiaBench(kind, 2).controller.save());
    }),
    { numRuns: runs },
  );
});
