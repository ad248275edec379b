// What an instruction reads, writes and orders, and which later accesses RVWMO keeps behind an earlier one: dependencies through registers and
// memory, overlapping addresses, fence sets, acquire and release. [RISC-V unpriv. 17.1, preserved program order]
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { effectsOf } from '../../../emulator/cpu/effects';
import { advance, isOrdered, type OrderedAccess, orderFrom } from '../../../emulator/cpu/memory-order';

const opcode = {
  load: 0x03,
  fence: 0x0f,
  addImmediate: 0x13,
  store: 0x23,
  atomic: 0x2f,
  add: 0x33,
  branch: 0x63,
} as const;

// Encodings of the few instructions that the tests are made of. [RISC-V unpriv. 2.2, 13.2]
const lw = (rd: number, base: number): number => (base << 15) | (2 << 12) | (rd << 7) | opcode.load;
const sw = (data: number, base: number): number => (data << 20) | (base << 15) | (2 << 12) | opcode.store;
const addi = (rd: number, rs: number, value: number): number =>
  (value << 20) | (rs << 15) | (rd << 7) | opcode.addImmediate;
const add = (rd: number, a: number, b: number): number => (b << 20) | (a << 15) | (rd << 7) | opcode.add;
const beq = (a: number, b: number): number => (b << 20) | (a << 15) | opcode.branch;
const fence = (pred: number, succ: number, mode = 0): number =>
  (mode << 28) | (pred << 24) | (succ << 20) | opcode.fence;
const atomic = (operation: number, rd: number, base: number, data: number, aqrl = 0): number =>
  (operation << 27) | (aqrl << 25) | (data << 20) | (base << 15) | (2 << 12) | (rd << 7) | opcode.atomic;
const amoadd = 0;
const loadReserved = 2;
const acquire = 2;
const release = 1;
const [i, o, r, w] = [8, 4, 2, 1] as const;

const first = 0x8000_1000;
const second = 0x8000_2000;
const device = 0x1000_8000;

function effects(word: number) {
  const found = effectsOf(word);
  assert.ok(found !== undefined, `0x${(word >>> 0).toString(16)} is an instruction`);
  return found;
}

function access(word: number, physicalAddress?: number): OrderedAccess {
  return {
    effects: effects(word),
    physicalAddress,
    io: physicalAddress !== undefined && physicalAddress < 0x8000_0000,
  };
}

/** Whether the last of some instructions is ordered behind the first. */
function ordered(...instructions: readonly OrderedAccess[]): boolean {
  const [origin, ...rest] = instructions;
  const last = rest.pop();
  assert.ok(origin !== undefined && last !== undefined);
  return isOrdered(rest.reduce(advance, orderFrom(origin)), last);
}

const registers = (...numbers: readonly number[]): number => numbers.reduce((set, number) => set | (1 << number), 0);

test('an addition depends on both of its sources', () => {
  const { sources, destination, memory } = effects(add(5, 6, 7));
  assert.equal(sources.x, registers(6, 7));
  assert.equal(destination.x, registers(5));
  assert.equal(memory, undefined);
});

test('the zero register is neither source nor destination', () => {
  const { sources, destination } = effects(addi(0, 0, 1));
  assert.deepEqual([sources.x, destination.x], [0, 0]);
});

test('a store names its address and, apart from it, its data', () => {
  const { memory } = effects(sw(6, 7));
  assert.equal(memory?.kind, 'store');
  assert.equal(memory.base, 7);
  assert.equal(memory.data.x, registers(6));
});

test('a branch decides by both of its registers', () => {
  assert.equal(effects(beq(6, 7)).control.x, registers(6, 7));
});

test('fences and atomics say what they order', () => {
  assert.deepEqual(effects(fence(r | w, w)).fence, { pred: r | w, succ: w, total: false });
  assert.equal(effects(fence(r | w, r | w, 8)).fence?.total, true);
  const { acquire: aq, release: rl, memory } = effects(atomic(amoadd, 5, 6, 7, acquire));
  assert.deepEqual([aq, rl, memory?.kind], [true, false, 'atomic']);
  assert.equal(effects(atomic(loadReserved, 5, 6, 0)).memory?.kind, 'load-reserved');
});

const rows: readonly (readonly [name: string, isOrdered: boolean, ...instructions: readonly OrderedAccess[]])[] = [
  ['two loads with nothing between', false, access(lw(5, 10), first), access(lw(6, 11), second)],
  ['two stores with nothing between', false, access(sw(5, 10), first), access(sw(6, 11), second)],
  ['loads behind a fence of loads', true, access(lw(5, 10), first), access(fence(r, r)), access(lw(6, 11), second)],
  ['loads behind a fence of stores', false, access(lw(5, 10), first), access(fence(w, w)), access(lw(6, 11), second)],
  ['loads behind a fence of later stores', false, access(lw(5, 10), first), access(fence(r, w)), access(lw(6, 11), second)],
  ['a load behind a store, with a fence of both', true, access(sw(5, 10), first), access(fence(w, r)), access(lw(6, 11), second)],
  ['a load behind a store, total store order', false, access(sw(5, 10), first), access(fence(r | w, r | w, 8)), access(lw(6, 11), second)],
  ['stores, total store order', true, access(sw(5, 10), first), access(fence(r | w, r | w, 8)), access(sw(6, 11), second)],
  ['a device behind memory, with a fence of memory', false, access(sw(5, 10), first), access(fence(r | w, r | w)), access(sw(6, 11), device)],
  ['a device behind memory, with a fence of output', true, access(sw(5, 10), first), access(fence(w, o)), access(sw(6, 11), device)],
  ['memory behind a load from a device', true, access(lw(5, 10), device), access(fence(i, r)), access(lw(6, 11), second)],
  ['an address that depends on the load', true, access(lw(5, 10), first), access(lw(6, 5), second)],
  ['a dependency by way of an addition', true, access(lw(5, 10), first), access(add(7, 8, 5)), access(lw(6, 7), second)],
  ['a dependency that is overwritten', false, access(lw(5, 10), first), access(addi(5, 8, 0)), access(lw(6, 5), second)],
  ['data that depends on the load', true, access(lw(5, 10), first), access(sw(5, 11), second)],
  ['a load behind a branch on the load', false, access(lw(5, 10), first), access(beq(5, 0)), access(lw(6, 11), second)],
  ['a store behind a branch on the load', true, access(lw(5, 10), first), access(beq(5, 0)), access(sw(6, 11), second)],
  ['a store to the same place', true, access(sw(5, 10), first), access(sw(6, 11), first)],
  ['a load of what was stored, which may be forwarded', false, access(sw(5, 10), first), access(lw(6, 11), first)],
  ['a dependency by way of memory', true, access(lw(5, 10), first), access(sw(5, 12), second), access(lw(6, 13), second)],
  ['a load behind an atomic with acquire', true, access(atomic(amoadd, 5, 10, 6, acquire), first), access(lw(6, 11), second)],
  ['a load behind an atomic without', false, access(atomic(amoadd, 5, 10, 6), first), access(lw(6, 11), second)],
  ['an atomic with release behind a store', true, access(sw(5, 10), first), access(atomic(amoadd, 5, 11, 6, release), second)],
  ['an atomic with acquire behind a store', false, access(sw(5, 10), first), access(atomic(amoadd, 5, 11, 6, acquire), second)],
  ['two atomics with annotations', true, access(atomic(amoadd, 5, 10, 6, release), first), access(atomic(amoadd, 7, 11, 8, acquire), second)],
]; // prettier-ignore

for (const [name, expected, ...instructions] of rows) {
  test(`${name}: ${expected ? 'ordered' : 'not ordered'}`, () => assert.equal(ordered(...instructions), expected));
}
