// Which frames only carry an access to a device register and are not to blame for it: `readl`, `mmio_write32` and their like.
// [design: which line] A function counts as an accessor when a glob names it, or when the innermost function is a small leaf whose one
// memory access outside its own stack frame is the register's, and which was told by its caller what to access.
import type { StackFrame } from '../symbols/contract';

/** Names that many code bases share. The launch attribute `accessors` adds to them. */
const commonAccessors = ['*read[bwlq]', '*write[bwlq]', '*mmio_read*', '*mmio_write*', 'ioread*', 'iowrite*', '__raw_*', '*read_volatile*', '*write_volatile*']; // prettier-ignore
const largestAccessorBytes = 128n;

/** Text of the instructions in a range of guest code, in order; undefined when it cannot be read. */
export type Disassemble = (low: bigint, high: bigint) => readonly string[] | undefined;

export class Accessors {
  private readonly globs: readonly RegExp[];

  constructor(
    extra: readonly string[],
    private readonly disassemble: Disassemble,
  ) {
    this.globs = [...commonAccessors, ...extra].map(globPattern);
  }

  /** Index of the frame to blame: the first that is not an accessor. 0 when all look like one. */
  blamed(frames: readonly StackFrame[]): number {
    let index = 0;
    while (index < frames.length - 1) {
      const frame = frames[index];
      if (frame === undefined) break;
      const named = frame.function !== undefined && this.globs.some((glob) => glob.test(frame.function ?? ''));
      if (!named && !(index === 0 && this.onlyAccesses(frame))) break;
      index++;
    }
    return frames[index]?.line === undefined && frames[0]?.line !== undefined ? 0 : index;
  }

  private onlyAccesses(frame: StackFrame): boolean {
    const { symbols, lookupPc, inlineDepth } = frame;
    const source = symbols?.framesAt(lookupPc)[inlineDepth];
    if (symbols === undefined || source === undefined) return false;
    if (source.high - source.low > largestAccessorBytes) return false;
    const parameters = symbols.scopesAt(frame).find((scope) => scope.kind === 'parameters')?.variables.length ?? 0;
    if (parameters === 0) return false;
    const code = this.disassemble(source.low, source.high);
    return code !== undefined && isPlainAccess(code);
  }
}

/** No calls, and exactly one load or store that is not relative to the stack or frame pointer. */
export function isPlainAccess(code: readonly string[]): boolean {
  let accesses = 0;
  for (const text of code) {
    const [, mnemonic = '', operands = ''] = /^(\S+)\s*(.*)$/.exec(text) ?? [];
    const name = mnemonic.replace(/^c\./, '');
    if (name === 'call' || ((name === 'jal' || name === 'jalr') && !/^(zero|x0),/.test(operands))) return false;
    const memory = /\((\w+)\)\s*$/.exec(operands);
    if (memory === null || name.startsWith('j')) continue;
    if (memory[1] !== 'sp' && memory[1] !== 's0' && memory[1] !== 'fp') accesses++;
  }
  return accesses === 1;
}

/** `*` any text, `?` one character, `[...]` a set; the whole name must match. A qualified name matches by its last part, too. */
function globPattern(glob: string): RegExp {
  const body = glob
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.');
  return new RegExp(`^(?:.*::)?${body}$`);
}
