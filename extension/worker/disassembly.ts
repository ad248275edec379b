// Guest code as text with symbols and lines, at virtual addresses of a hart.
import { disassemble } from '../../emulator/cpu/disassembler';
import type { Machine } from '../../emulator/machine';
import type { DisassembledInstruction } from '../debug/target';
import type { GuestSymbols } from './guest-symbols';
import { readVirtual } from './hart-registers';

const longestInstructionBytes = 4;

function one(machine: Machine, hart: number, address: bigint): { text: string; bytes: Uint8Array } | undefined {
  const bytes = readVirtual(machine, hart, address, longestInstructionBytes);
  if (bytes.length < 2) return undefined;
  const low = (bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8);
  const long = (low & 3) === 3;
  if (long && bytes.length < 4) return undefined;
  const word = long ? (low | ((bytes[2] ?? 0) << 16) | ((bytes[3] ?? 0) << 24)) >>> 0 : low;
  const { text, lengthBytes } = disassemble(word, address);
  return { text, bytes: bytes.subarray(0, lengthBytes) };
}

/** Instructions from `low` up to `high`; undefined when any of them cannot be read. */
export function disassembleRange(
  machine: Machine,
  hart: number,
  low: bigint,
  high: bigint,
): readonly string[] | undefined {
  const texts: string[] = [];
  for (let address = low; address < high;) {
    const instruction = one(machine, hart, address);
    if (instruction === undefined) return undefined;
    texts.push(instruction.text);
    address += BigInt(instruction.bytes.length);
  }
  return texts;
}

/** Exactly `count` rows from `instructionOffset` instructions behind (or, negative, before) `address`. */
export function disassembleAround(
  machine: Machine,
  symbols: GuestSymbols,
  hart: number,
  address: bigint,
  instructionOffset: number,
  count: number,
): readonly DisassembledInstruction[] {
  let at = BigInt.asUintN(64, address & ~1n);
  if (instructionOffset < 0) at = startBefore(machine, symbols, hart, at, -instructionOffset);
  for (let skip = 0; skip < instructionOffset; skip++) at += BigInt(one(machine, hart, at)?.bytes.length ?? 2);
  return Array.from({ length: count }, () => {
    const instruction = one(machine, hart, at);
    const bytes = instruction?.bytes ?? new Uint8Array(2);
    const line = symbols.lineAt(at);
    const row: DisassembledInstruction = {
      address: at,
      bytes: instruction === undefined ? new Uint8Array(0) : bytes,
      text: instruction?.text ?? '(no memory here)',
      symbol: symbols.at(at)?.symbolAt(at) === undefined ? undefined : symbolWithOffset(symbols, at),
      source: line === undefined ? undefined : { file: symbols.findSource(line.file), line: line.line },
    };
    at = BigInt.asUintN(64, at + BigInt(bytes.length));
    return row;
  });
}

function symbolWithOffset(symbols: GuestSymbols, address: bigint): string {
  const near = symbols.at(address)?.symbolAt(address);
  if (near === undefined) return '';
  return near.offset === 0n ? near.name : `${near.name}+${near.offset.toString()}`;
}

/** Farther back than this a function's start is no help: decoding would take too long. */
const longestWalkBytes = 0x1_0000n;

/**
 * Instructions have two lengths, so going back needs a known boundary: the start of the function, then that of the one before it. Where
 * no symbol helps, the nearest earlier start from which decoding arrives exactly here.
 */
function startBefore(
  machine: Machine,
  symbols: GuestSymbols,
  hart: number,
  address: bigint,
  instructions: number,
): bigint {
  if (instructions === 0) return address;
  const near = symbols.at(address - 2n)?.symbolAt(address - 2n);
  const begins = near === undefined ? undefined : address - 2n - near.offset;
  if (begins !== undefined && address - begins <= longestWalkBytes) {
    const starts = boundaries(machine, hart, begins, address);
    if (starts !== undefined) {
      return (
        starts[starts.length - instructions] ??
        startBefore(machine, symbols, hart, begins, instructions - starts.length)
      );
    }
  }
  const farthest = BigInt(instructions) * 4n;
  for (let back = farthest; back >= 2n; back -= 2n) {
    const starts = boundaries(machine, hart, address - back, address);
    const start = starts?.[starts.length - instructions];
    if (start !== undefined) return start;
  }
  return address - 2n * BigInt(instructions);
}

/** Starts of the instructions from `low` on; undefined when decoding does not arrive exactly at `high`. */
function boundaries(machine: Machine, hart: number, low: bigint, high: bigint): readonly bigint[] | undefined {
  const starts: bigint[] = [];
  let at = low;
  while (at < high) {
    starts.push(at);
    at += BigInt(one(machine, hart, at)?.bytes.length ?? 2);
  }
  return at === high ? starts : undefined;
}
