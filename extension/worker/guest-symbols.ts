// All symbol images of one guest behind one set of questions. Addresses are virtual.
import type {
  Backtrace,
  BreakpointAddress,
  FrameContext,
  ReadMemory,
  RegisterFile,
  SourceLocation,
  StackFrame,
  Symbols,
} from '../symbols/contract';

export class GuestSymbols {
  /** @param findSource where a file of the debug information is on this machine */
  constructor(
    readonly images: readonly Symbols[],
    readonly findSource: (file: string) => string = (file) => file,
  ) {}

  /** The image that describes an address. */
  at(address: bigint): Symbols | undefined {
    return this.images.find((image) => image.contains(address));
  }
  get hasLines(): boolean {
    return this.images.some((image) => image.hasLines);
  }
  get problems(): readonly string[] {
    // An image that stands at two places has its problems once.
    return [...new Set(this.images.flatMap((image) => image.problems.map((problem) => `${image.name}: ${problem}`)))];
  }

  lineAt(pc: bigint): SourceLocation | undefined {
    return this.at(pc)?.lineAt(pc);
  }
  addressesOf(file: string, line: number): readonly BreakpointAddress[] {
    return this.images.flatMap((image) => image.addressesOf(file, line));
  }
  linesIn(file: string): readonly number[] {
    return [...new Set(this.images.flatMap((image) => image.linesIn(file)))].sort((a, b) => a - b);
  }
  knowsFile(file: string): boolean {
    return this.images.some((image) => image.matchFile(file).length > 0);
  }
  files(): readonly string[] {
    return [...new Set(this.images.flatMap((image) => image.files()))];
  }
  /** Where to stop for a function: behind its prologue, in each image that has it. */
  functionStarts(name: string): readonly bigint[] {
    return this.images.flatMap((image) => {
      const address = image.addressOf(name);
      return address === undefined ? [] : [image.functionBodyStart(address)];
    });
  }
  addressOf(name: string): bigint | undefined {
    for (const image of this.images) {
      const address = image.addressOf(name);
      if (address !== undefined) return address;
    }
    return undefined;
  }

  /** `function`, `symbol+0x1c`, or the bare address. */
  nameOf(address: bigint): string {
    const image = this.at(address);
    const frame = image?.framesAt(address)[0];
    if (frame !== undefined) return frame.function;
    const near = image?.symbolAt(address);
    if (near === undefined) return `0x${address.toString(16)}`;
    return near.offset === 0n ? near.name : `${near.name}+0x${near.offset.toString(16)}`;
  }

  backtrace(registers: RegisterFile, readMemory: ReadMemory, limit: number): Backtrace {
    const image = this.at(registers.pc) ?? this.images[0];
    if (image !== undefined) return image.backtrace(registers, readMemory, limit);
    const only: StackFrame = {
      pc: registers.pc,
      lookupPc: registers.pc,
      function: undefined,
      offset: undefined,
      file: undefined,
      line: undefined,
      column: undefined,
      inlined: false,
      inlineDepth: 0,
      registers,
      cfa: undefined,
      foundBy: 'registers',
      symbols: undefined,
    };
    return { frames: [only], end: 'there are no symbols for this guest' };
  }
}

/** A frame's place for reading variables. */
export function contextOf(frame: StackFrame): FrameContext {
  return frame;
}
