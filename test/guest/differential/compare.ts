// Compares the states that QEMU and the emulator left, and tells the first difference so that it can be understood and run again.
import { decode, instructionLength } from '../../../emulator/cpu/decoder';
import type { Sequence } from './generate';
import type { State } from './image';
import { permittedDifferences } from './permitted';

export interface Difference {
  readonly sequence: Sequence;
  /** Whose state the emulator's was compared with. */
  readonly peer: string;
  readonly fields: readonly {
    readonly name: string;
    readonly theirs: bigint | undefined;
    readonly ours: bigint | undefined;
  }[];
}

/** `undefined` where the states agree up to what `permitted.ts` lists. */
export function compareStates(sequence: Sequence, peer: string, theirs: State, ours: State): Difference | undefined {
  const names = [...new Set([...theirs.keys(), ...ours.keys()])];
  const fields = names
    .filter((name) => theirs.get(name) !== ours.get(name))
    .filter((name) => !permittedDifferences.some((permitted) => permitted.covers(name, theirs, ours)))
    .map((name) => ({ name, theirs: theirs.get(name), ours: ours.get(name) }));
  return fields.length === 0 ? undefined : { sequence, peer, fields };
}

const hexadecimal = (value: bigint | undefined): string => (value === undefined ? '-' : `0x${value.toString(16)}`);

/** The sequence, where it starts from, and every field that differs. */
export function describeDifference({ sequence, peer, fields }: Difference): string {
  const { context } = sequence;
  const view = new DataView(sequence.code.buffer);
  const lines = [`sequence ${sequence.name}, ${context.mode}-mode, satp ${hexadecimal(context.satp)}`];
  for (let offset = 0; offset < sequence.code.length;) {
    const length = instructionLength(view.getUint16(offset, true));
    const word = length === 4 ? view.getUint32(offset, true) : view.getUint16(offset, true);
    const decoded = decode(word);
    const name = decoded?.compressed?.name ?? decoded?.row.name ?? 'undefined';
    const operands = Object.entries(decoded?.fields ?? {}).map(([field, value]) => `${field}=${value}`);
    lines.push(
      `  ${(sequence.start + offset).toString(16)}  ${word
        .toString(16)
        .padStart(length * 2, '0')
        .padEnd(8)}  ${name} ${operands.join(' ')}`,
    );
    offset += length;
  }
  lines.push(
    `  x: ${context.x.map((value, register) => `${register}=${BigInt.asUintN(64, value).toString(16)}`).join(' ')}`,
  );
  lines.push(
    `  csrs: ${Object.entries(context.csrs)
      .map(([name, value]) => `${name}=${value.toString(16)}`)
      .join(' ')}`,
  );
  for (const { name, theirs, ours } of fields)
    lines.push(`  ${name}: ${peer} ${hexadecimal(theirs)}, ours ${hexadecimal(ours)}`);
  return lines.join('\n');
}
