// Call frame information: .debug_frame and .eh_frame. [DWARF 5, 6.4; LSB 5, 10.6 for .eh_frame]
import { Cursor, MalformedInput } from '../bytes';
import type { Problems } from '../problems';
import { runInstructions, type FrameRow } from './frame-instructions';
import { IntervalIndex } from './intervals';
import type { DebugSections } from './sections';

/** Common information entry: what many functions share. */
export interface CommonInformation {
  readonly codeAlignment: number;
  readonly dataAlignment: number;
  /** Column that holds the return address. */
  readonly returnRegister: number;
  /** Encoding of addresses in frame descriptions; undefined in .debug_frame. */
  readonly pointerEncoding: number | undefined;
  readonly hasAugmentationData: boolean;
  /** Frames of interrupted code. */
  readonly isSignalFrame: boolean;
  readonly instructions: Uint8Array;
}

/** Frame description entry: one function, or a piece of one. */
export interface FrameDescription {
  readonly common: CommonInformation;
  readonly low: number;
  readonly high: number;
  readonly instructions: Uint8Array;
}

type FrameSection = 'frame' | 'ehFrame';

/** Encodings of pointers in .eh_frame. [LSB 5, 10.5.1] */
const pointer = { omit: 0xff, relative: 0x70, pcRelative: 0x10, functionRelative: 0x40, indirect: 0x80 } as const;

export class CallFrames {
  #index: IntervalIndex | undefined;
  readonly #descriptions: { readonly section: FrameSection; readonly offset: number }[] = [];
  readonly #common = new Map<string, CommonInformation>();

  constructor(
    readonly sections: DebugSections,
    readonly problems: Problems,
    readonly isLoaded: (address: number) => boolean,
  ) {}

  /** All frame descriptions, in the order of the sections. */
  all(): FrameDescription[] {
    this.#prepare();
    return this.#descriptions.flatMap((_, i) => this.#description(i) ?? []);
  }

  at(address: number): FrameDescription | undefined {
    for (const { value } of this.#prepare().containing(address)) {
      const description = this.#description(value);
      if (description !== undefined) return description;
    }
    return undefined;
  }

  #description(index: number): FrameDescription | undefined {
    const place = this.#descriptions[index];
    if (place === undefined) return undefined;
    try {
      return this.#read(place.section, place.offset);
    } catch (error) {
      this.#report(place.section, place.offset, error);
      return undefined;
    }
  }

  /** The rules that hold at an address. Throws `MalformedInput`. */
  row(description: FrameDescription, address: number): FrameRow {
    for (const row of runInstructions(description)) if (address < row.end) return row;
    throw new MalformedInput('a frame description has no rules for its own code');
  }

  #report(section: FrameSection, offset: number, error: unknown): void {
    if (!(error instanceof MalformedInput)) throw error;
    const name = section === 'frame' ? '.debug_frame' : '.eh_frame';
    this.problems.add(`${name} entry at 0x${offset.toString(16)}: ${error.message}; it is ignored`);
  }

  #prepare(): IntervalIndex {
    if (this.#index === undefined) {
      const ranges: { low: number; high: number; value: number }[] = [];
      // Both sections normally describe different code; where they do not, the later one is found first.
      for (const section of ['ehFrame', 'frame'] as const) this.#list(section, ranges);
      this.#index = new IntervalIndex(ranges);
    }
    return this.#index;
  }

  #list(section: FrameSection, ranges: { low: number; high: number; value: number }[]): void {
    const bytes = this.sections.get(section);
    let offset = 0;
    while (offset + 4 <= bytes.length) {
      const start = offset;
      try {
        const header = this.#header(section, start);
        offset = header.end;
        if (header.length === 0 || header.isCommon) continue;
        const description = this.#read(section, start);
        // Code that the linker threw away keeps its description, at address 0.
        if (!this.isLoaded(description.low)) continue;
        ranges.push({ low: description.low, high: description.high, value: this.#descriptions.length });
        this.#descriptions.push({ section, offset: start });
      } catch (error) {
        this.#report(section, start, error);
        if (offset === start) return;
      }
    }
  }

  #header(section: FrameSection, offset: number) {
    const bytes = this.sections.get(section);
    const cursor = new Cursor(bytes, offset);
    let length = cursor.u32();
    const offsetSize = length === 0xffffffff ? 8 : 4;
    if (offsetSize === 8) length = cursor.size64();
    const end = cursor.offset + length;
    if (end > bytes.length)
      throw new MalformedInput(`it should end at 0x${end.toString(16)}, the section ends before that`);
    if (length === 0) return { length, end, isCommon: false, common: 0, body: cursor };
    cursor.end = end;
    const field = cursor.offset;
    // 0xffffffff repeated is exact enough: as a number, 2^64 - 1 rounds to 2^64.
    const id = cursor.unsigned(section === 'ehFrame' ? 4 : offsetSize);
    const commonId = section === 'ehFrame' ? 0 : offsetSize === 8 ? 2 ** 64 : 0xffffffff;
    const common = section === 'ehFrame' ? field - id : id;
    return { length, end, isCommon: id === commonId, common, body: cursor };
  }

  #read(section: FrameSection, offset: number): FrameDescription {
    const header = this.#header(section, offset);
    const common = this.#commonAt(section, header.common);
    const { body } = header;
    let low: number;
    let size: number;
    if (common.pointerEncoding === undefined) {
      low = body.address(8);
      size = body.size64();
    } else {
      low = this.#pointer(section, body, common.pointerEncoding);
      size = this.#pointer(section, body, common.pointerEncoding & 0x0f);
    }
    if (common.hasAugmentationData) body.skip(body.uleb());
    return { common, low, high: low + size, instructions: body.block(body.end - body.offset) };
  }

  #commonAt(section: FrameSection, offset: number): CommonInformation {
    const key = `${section}${offset}`;
    let common = this.#common.get(key);
    if (common === undefined) {
      const header = this.#header(section, offset);
      if (!header.isCommon)
        throw new MalformedInput(`common information expected at 0x${offset.toString(16)}, found something else`);
      common = this.#readCommon(section, header.body);
      this.#common.set(key, common);
    }
    return common;
  }

  #readCommon(section: FrameSection, cursor: Cursor): CommonInformation {
    const version = cursor.u8();
    if (version !== 1 && version !== 3 && version !== 4) {
      throw new MalformedInput(`version 1, 3 or 4 of common information expected, found ${version}`);
    }
    const augmentation = cursor.string();
    if (version === 4) {
      const addressSize = cursor.u8();
      const selectorSize = cursor.u8();
      if (addressSize !== 8 || selectorSize !== 0)
        throw new MalformedInput(`address size 8 expected, found ${addressSize}`);
    }
    const codeAlignment = cursor.uleb();
    const dataAlignment = cursor.sleb();
    const returnRegister = version === 1 ? cursor.u8() : cursor.uleb();
    let pointerEncoding = section === 'ehFrame' ? 0 : undefined;
    const hasAugmentationData = augmentation.startsWith('z');
    if (hasAugmentationData) {
      const length = cursor.uleb();
      const data = new Cursor(cursor.bytes, cursor.offset, Math.min(cursor.end, cursor.offset + length));
      for (const letter of augmentation.slice(1)) {
        if (letter === 'R') pointerEncoding = data.u8();
        else if (letter === 'L') data.skip(1);
        else if (letter === 'P') this.#pointer(section, data, data.u8());
        else if (letter !== 'S' && letter !== 'B') break;
      }
      cursor.skip(length);
    } else if (augmentation !== '') {
      throw new MalformedInput(`augmentation "z..." expected, found "${augmentation}"`);
    }
    return {
      codeAlignment,
      dataAlignment,
      returnRegister,
      pointerEncoding,
      hasAugmentationData,
      isSignalFrame: augmentation.includes('S'),
      instructions: cursor.block(cursor.end - cursor.offset),
    };
  }

  #pointer(section: FrameSection, cursor: Cursor, encoding: number): number {
    if (encoding === pointer.omit) return 0;
    const place = this.sections.address(section) + cursor.offset;
    const value = readPointerValue(cursor, encoding & 0x0f);
    const relation = encoding & pointer.relative;
    if (relation === pointer.pcRelative) return value + place;
    if (relation === 0 || relation === pointer.functionRelative) return value;
    throw new MalformedInput(`pointer encoding 0x${encoding.toString(16)} is not supported`);
  }
}

function readPointerValue(cursor: Cursor, kind: number): number {
  switch (kind) {
    case 0x00:
    case 0x04:
    case 0x0c:
      return cursor.address(8);
    case 0x01:
      return cursor.uleb();
    case 0x02:
      return cursor.u16();
    case 0x03:
      return cursor.u32();
    case 0x09:
      return cursor.sleb();
    case 0x0a:
      return (cursor.u16() << 16) >> 16;
    case 0x0b:
      return cursor.i32();
    default:
      throw new MalformedInput(`pointer format ${kind} is not known`);
  }
}
