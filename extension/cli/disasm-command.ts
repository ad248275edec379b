// `ringside disasm`: the executable code of an ELF file, or a raw image, as text with symbols.
import * as fs from 'node:fs';
import { disassemble } from '../../emulator/cpu/disassembler';
import { ramBase } from '../../emulator/board/memory-map';
import { loadSymbols, SymbolError, type Symbols } from '../symbols';
import { exitStatus } from './run-command';
import { UsageError } from './options';

export function disassembleFile(words: readonly string[]): number {
  const [file, ...rest] = words;
  if (file === undefined || rest.length > 0) throw new UsageError('ringside disasm: expected one FILE');
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(fs.readFileSync(file));
  } catch (error) {
    throw new UsageError(`${file} cannot be read (${error instanceof Error ? error.message : String(error)})`);
  }
  const isElf = bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
  if (!isElf) {
    // A raw image runs from the start of RAM.
    writeCode(bytes, BigInt(ramBase), undefined);
    return exitStatus.ok;
  }
  let symbols: Symbols;
  try {
    symbols = loadSymbols(bytes, { name: file });
  } catch (error) {
    if (error instanceof SymbolError) throw new UsageError(error.message);
    throw error;
  }
  for (const segment of symbols.segments.filter((one) => one.executable)) {
    writeCode(
      symbols.bytesAt(segment.address, Number(segment.fileSize)) ?? new Uint8Array(0),
      segment.address,
      symbols,
    );
  }
  return exitStatus.ok;
}

function writeCode(bytes: Uint8Array, start: bigint, symbols: Symbols | undefined): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let lines: string[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const address = start + BigInt(at);
    const low = view.getUint16(at, true);
    const long = (low & 3) === 3;
    if (long && at + 4 > bytes.length) break;
    const word = long ? view.getUint32(at, true) : low;
    const { text, lengthBytes } = disassemble(word, address);
    const symbol = symbols?.symbolAt(address);
    if (symbol?.offset === 0n) lines.push('', `${address.toString(16).padStart(16, '0')} <${symbol.name}>:`);
    lines.push(
      `${address.toString(16).padStart(8, ' ')}:  ${word
        .toString(16)
        .padStart(lengthBytes * 2, '0')
        .padEnd(10)} ${text}`,
    );
    at += lengthBytes;
    if (lines.length > 4096) {
      process.stdout.write(`${lines.join('\n')}\n`);
      lines = [];
    }
  }
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
}
