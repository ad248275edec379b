// Guest RAM for a batch of sequences: harness, records, code. And the states that the harness leaves there.
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { encodable } from '../../../emulator/cpu/decoder';
import { buildGuest } from '../harness/compiler';
import { codeStride, type Sequence } from './generate';
import {
  assemblerConstants,
  codeBase,
  control,
  ramBase,
  record,
  recordsBase,
  result,
  resultsBase,
  scratch,
  stateCsrs,
  tableEntries,
  trapFields,
  trapLimit,
} from './layout';

/** The harness as it lies at the start of RAM. */
export function assembleHarness(): Uint8Array {
  const elf = buildGuest({
    name: 'differential',
    sources: ['test/guest/differential/harness.S'],
    flags: assemblerConstants(),
  });
  const raw = `${elf}.${process.pid}.bin`;
  execFileSync('riscv64-linux-gnu-objcopy', ['-O', 'binary', elf, raw]);
  const bytes = new Uint8Array(fs.readFileSync(raw));
  fs.rmSync(raw);
  if (bytes.length > control.base - ramBase)
    throw new Error(`the harness has ${bytes.length} bytes and overlaps its data`);
  return bytes;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export function placeHarness(ram: Uint8Array, harness: Uint8Array): void {
  ram.set(harness);
}

/** Tells the harness to run the records `from` up to, not including, `to`. */
export function chooseRecords(ram: Uint8Array, from: number, to: number): void {
  const view = viewOf(ram);
  const words = control.base - ramBase;
  ram.fill(0, words, words + control.saved + 256);
  view.setBigUint64(words + control.record, BigInt(recordsBase + from * record.bytes), true);
  view.setBigUint64(words + control.end, BigInt(recordsBase + to * record.bytes), true);
  view.setBigUint64(words + control.result, BigInt(resultsBase + from * result.bytes), true);
}

/** The index of the record the harness is at. */
export function currentRecord(ram: Uint8Array): number {
  const address = viewOf(ram).getBigUint64(control.base - ramBase + control.record, true);
  return (Number(address) - recordsBase) / record.bytes;
}

export function placeSequence(ram: Uint8Array, index: number, sequence: Sequence): void {
  const { context } = sequence;
  const view = viewOf(ram);
  const base = recordsBase - ramBase + index * record.bytes;
  const words = (offset: number, values: readonly bigint[]): void =>
    values.forEach((value, position) =>
      view.setBigUint64(base + offset + position * 8, BigInt.asUintN(64, value), true),
    );
  words(record.x, context.x);
  words(record.f, context.f);
  words(
    record.csrs,
    stateCsrs.map((name) => context.csrs[name]),
  );
  words(record.fcsr, [context.fcsr, BigInt(sequence.start), BigInt(sequence.end)]);
  words(record.entries, context.entries);
  ram.set(context.scratch, base + record.scratch);
  const code = codeBase - ramBase + index * codeStride;
  ram.fill(0, code, code + codeStride);
  ram.set(sequence.code, code);
}

/** In place of a sequence: nothing but its end. */
export function placeEnd(ram: Uint8Array, index: number): void {
  const ecall = encodable('ecall');
  if (ecall === undefined) throw new Error('the instruction table has no ecall');
  const view = viewOf(ram);
  const start = codeBase + index * codeStride;
  view.setUint32(start - ramBase, ecall.encode({}), true);
  view.setBigUint64(recordsBase - ramBase + index * record.bytes + record.end, BigInt(start), true);
}

/** Whether the records of all sequences are the same bytes. */
export function sameRecords(one: Uint8Array, other: Uint8Array): boolean {
  const [start, end] = [recordsBase - ramBase, codeBase - ramBase];
  return Buffer.compare(one.subarray(start, end), other.subarray(start, end)) === 0;
}

/** Everything a sequence leaves: 64-bit values by name, in the order of comparison. */
export type State = ReadonlyMap<string, bigint>;

const tableNames = Object.entries(tableEntries).flatMap(([table, count]) =>
  Array.from({ length: count }, (_, index) => `${table} entry ${index}`),
);

/** Whether both left the same bytes; where they did not, the states may still agree. */
export function sameResult(one: Uint8Array, other: Uint8Array, index: number): boolean {
  const start = resultsBase - ramBase + index * result.bytes;
  const end = start + result.bytes;
  return Buffer.compare(one.subarray(start, end), other.subarray(start, end)) === 0;
}

/** What `readState` tells of the traps alone. */
export function readTraps(ram: Uint8Array, index: number): State {
  const view = viewOf(ram);
  const base = resultsBase - ramBase + index * result.bytes;
  const state = new Map<string, bigint>();
  const traps = Number(view.getBigUint64(base + result.trapCount, true));
  for (let trap = 0; trap < Math.min(traps, trapLimit); trap++) {
    trapFields.forEach((field, position) =>
      state.set(
        `trap ${trap} ${field}`,
        view.getBigUint64(base + result.traps + trap * result.trapBytes + position * 8, true),
      ),
    );
  }
  return state.set('traps', BigInt(traps));
}

export function readState(ram: Uint8Array, index: number): State {
  const view = viewOf(ram);
  const base = resultsBase - ramBase + index * result.bytes;
  const word = (offset: number): bigint => view.getBigUint64(base + offset, true);
  const state = new Map(readTraps(ram, index));
  for (let register = 1; register < 32; register++) state.set(`x${register}`, word(result.x + register * 8));
  for (let register = 0; register < 32; register++) state.set(`f${register}`, word(result.f + register * 8));
  state.set('fcsr', word(result.fcsr));
  stateCsrs.forEach((name, position) => state.set(name, word(result.csrs + position * 8)));
  tableNames.forEach((name, position) => state.set(name, word(result.entries + position * 8)));
  for (let offset = 0; offset < scratch.windowBytes; offset += 8) {
    state.set(`memory 0x${(scratch.window + offset).toString(16)}`, word(result.scratch + offset));
  }
  return state;
}
