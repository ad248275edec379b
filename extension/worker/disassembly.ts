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
      source: line === undefined ? undefined : { file: line.file, line: line.line },
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

/**
 * Instructions have two lengths, so going back needs a known boundary: the start of the function when there is one, otherwise the
 * nearest earlier start from which decoding arrives exactly here.
 */
function startBefore(
  machine: Machine,
  symbols: GuestSymbols,
  hart: number,
  address: bigint,
  instructions: number,
): bigint {
  const farthest = BigInt(instructions) * 4n;
  const near = symbols.at(address)?.symbolAt(address);
  const begins = near === undefined ? address : address - near.offset;
  const candidates = [...(begins < address && address - begins <= farthest * 4n ? [begins] : [])];
  for (let back = farthest; back >= farthest - 4n && back > 0n; back -= 2n) candidates.push(address - back);
  for (const candidate of candidates) {
    const starts: bigint[] = [];
    let at = candidate;
    while (at < address) {
      starts.push(at);
      at += BigInt(one(machine, hart, at)?.bytes.length ?? 2);
    }
    if (at !== address) continue;
    const start = starts[starts.length - instructions];
    if (start !== undefined) return start;
    // The function is shorter than what is asked for: count the rest in halfwords, which rarely matters.
    return candidate - 2n * BigInt(instructions - starts.length);
  }
  return address - 2n * BigInt(instructions);
}
