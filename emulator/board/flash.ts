// A bank of NOR flash: two 16-bit chips with the Intel command set side by side on a 32-bit bus, empty. [JEDEC JESD68 (CFI);
// Intel StrataFlash P30 datasheet; `cfi-flash` binding, bank-width 4]
// As on QEMU, both chips always do the same, at whatever width a command comes, and programming replaces what was there: guests
// that take the bank for one 16-bit chip work with it. Memory is used only for pages that were programmed.
import type { AccessSize, MmioRegion, SavedState, Stateful } from '../bus/access';
import type { MapEntry } from './memory-map';

const command = {
  readArrayAlternative: 0x00,
  program: 0x40,
  programAlternative: 0x10,
  blockErase: 0x20,
  clearStatus: 0x50,
  lockSetup: 0x60,
  readStatus: 0x70,
  readIdentifier: 0x90,
  readQuery: 0x98,
  bufferedProgram: 0xe8,
  confirm: 0xd0,
  readArray: 0xff,
} as const;
const status = { ready: 0x80, eraseError: 0x20, programError: 0x10 } as const;

const chips = 2;
const chipBytes = 16 << 20;
const chipBlockBytes = 128 << 10;
const chipBufferBytes = 2048;
const blockBytes = chips * chipBlockBytes;
const bufferWrites = chipBufferBytes / 2;
const pageBytes = 4096;
const manufacturer = 0x89;
const deviceCode = 0x18;

const ascii = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));
/** The query table of a chip, from index 0x10 on. Sizes and times are exponents of two in the standard's units. [JESD68 4] */
const queryTable: readonly number[] = [
  ...ascii('QRY'),
  // Command set Intel extended, its table at 0x31; no alternative set.
  ...[0x01, 0x00, 0x31, 0x00, 0x00, 0x00, 0x00, 0x00],
  // Supply voltages 4.5 V to 5.5 V, no programming voltage.
  ...[0x45, 0x55, 0x00, 0x00],
  // Typical times of a word, a buffer, a block erase and a chip erase; then how many times longer they may take.
  ...[0x07, 0x07, 0x0a, 0x00, 0x04, 0x04, 0x04, 0x00],
  Math.log2(chipBytes),
  // An interface of 8 or 16 bits.
  ...[0x02, 0x00],
  ...[Math.log2(chipBufferBytes), 0x00],
  // One region of equal blocks: how many less one, and their size in units of 256 bytes.
  1,
  ...littleEndian16(chipBytes / chipBlockBytes - 1),
  ...littleEndian16(chipBlockBytes / 256),
  // The extended table: version 1.0, no optional features.
  ...ascii('PRI10'),
  ...new Array<number>(12).fill(0),
];
const queryStart = 0x10;

interface PendingWrite {
  readonly offset: number;
  readonly size: AccessSize;
  readonly value: bigint;
}

/** What the next write means: a command, or a later part of one. */
type Expectation =
  'command' | 'program-data' | 'erase-confirm' | 'lock-confirm' | 'buffer-count' | 'buffer-data' | 'buffer-confirm';

interface FlashState {
  mode: 'array' | 'query' | 'identifier' | 'status';
  status: number;
  expectation: Expectation;
  /** A buffered program under way: its block, the writes still to come, and those that came. */
  bufferBlock: number;
  bufferLeft: number;
  buffer: PendingWrite[];
  /** Programmed pages by page number. */
  pages: Map<number, Uint8Array>;
  /** Blocks that were erased: their missing pages read as ones; all others are empty and read as zeros. */
  erased: Set<number>;
}
type SavedFlash = Omit<FlashState, 'pages' | 'erased'> & {
  pages: [number, Uint8Array][];
  erased: number[];
};

function resetState(): FlashState {
  return {
    mode: 'array',
    status: status.ready,
    expectation: 'command',
    bufferBlock: 0,
    bufferLeft: 0,
    buffer: [],
    pages: new Map(),
    erased: new Set(),
  };
}

export class FlashBank implements MmioRegion, Stateful {
  readonly base: number;
  readonly sizeBytes: number;
  private state = resetState();
  /** Pages that no saved state refers to, so that they may be changed in place. */
  private own = new Set<number>();

  constructor(
    readonly name: string,
    place: MapEntry,
  ) {
    this.base = place.base;
    this.sizeBytes = place.sizeBytes;
  }

  read(offset: number, size: AccessSize): bigint {
    return this.peek(offset, size);
  }
  /** Reading flash has no effect. */
  peek(offset: number, size: AccessSize): bigint {
    let value = 0n;
    for (let at = size - 1; at >= 0; at--) value = (value << 8n) | BigInt(this.byte(offset + at));
    return value;
  }
  write(offset: number, size: AccessSize, value: bigint): boolean {
    const low = Number(value & 0xffn);
    switch (this.state.expectation) {
      case 'command':
        this.begin(low);
        break;
      case 'program-data':
        this.program({ offset, size, value });
        this.state.expectation = 'command';
        break;
      case 'erase-confirm':
        if (low === command.confirm) this.erase(blockOf(offset));
        else this.refuse();
        this.state.expectation = 'command';
        break;
      case 'lock-confirm':
        // Locking is not modelled: every block stays unlocked, and the lock commands succeed.
        this.state.expectation = 'command';
        break;
      case 'buffer-count':
        this.beginBuffer(offset, Number(value & 0xffffn));
        break;
      case 'buffer-data':
        this.state.buffer.push({ offset, size, value });
        if (--this.state.bufferLeft === 0) this.state.expectation = 'buffer-confirm';
        break;
      case 'buffer-confirm':
        this.endBuffer(low);
        break;
    }
    return true;
  }

  reset(): void {
    this.state = resetState();
    this.own = new Set();
  }
  save(): SavedState {
    this.own = new Set();
    // Pages are shared until one side changes them: a page is replaced, never changed, while a saved state may refer to it.
    const saved: SavedFlash = {
      ...this.state,
      buffer: [...this.state.buffer],
      pages: [...this.state.pages],
      erased: [...this.state.erased],
    };
    return saved;
  }
  restore(state: SavedState): void {
    const saved = state as SavedFlash;
    this.own = new Set();
    this.state = {
      ...saved,
      buffer: [...saved.buffer],
      pages: new Map(saved.pages),
      erased: new Set(saved.erased),
    };
  }

  private begin(value: number): void {
    const { state } = this;
    switch (value) {
      case command.readArrayAlternative:
      case command.readArray:
        state.mode = 'array';
        break;
      case command.readQuery:
        state.mode = 'query';
        break;
      case command.readIdentifier:
        state.mode = 'identifier';
        break;
      case command.readStatus:
        state.mode = 'status';
        break;
      case command.clearStatus:
        state.status = status.ready;
        break;
      case command.program:
      case command.programAlternative:
        this.expect('program-data');
        break;
      case command.blockErase:
        this.expect('erase-confirm');
        break;
      case command.bufferedProgram:
        this.expect('buffer-count');
        break;
      case command.lockSetup:
        this.expect('lock-confirm');
        break;
      default:
        // A chip ignores what it does not know, e.g. the other command set's reset.
        break;
    }
  }
  private expect(expectation: Expectation): void {
    this.state.mode = 'status';
    this.state.expectation = expectation;
  }
  /** @param count writes that follow, less one */
  private beginBuffer(offset: number, count: number): void {
    if (count >= bufferWrites) {
      this.refuse();
      this.state.expectation = 'command';
      return;
    }
    this.state.expectation = 'buffer-data';
    this.state.bufferBlock = blockOf(offset);
    this.state.bufferLeft = count + 1;
    this.state.buffer = [];
  }
  private endBuffer(value: number): void {
    const { buffer, bufferBlock } = this.state;
    this.state.expectation = 'command';
    this.state.buffer = [];
    if (value === command.confirm && buffer.every(({ offset }) => blockOf(offset) === bufferBlock)) {
      for (const write of buffer) this.program(write);
    } else this.refuse();
  }
  /** A sequence that is not one: both error bits. */
  private refuse(): void {
    this.state.status |= status.eraseError | status.programError;
  }

  private byte(offset: number): number {
    if (this.state.mode !== 'array') {
      // What a chip answers stands on both halves of the bus; its address lines begin above the two that choose chip and byte.
      const answer = this.answer(Math.floor(offset / 4) & 0xff);
      return (answer >> ((offset % 2) * 8)) & 0xff;
    }
    const page = this.state.pages.get(Math.floor(offset / pageBytes));
    return page?.[offset % pageBytes] ?? (this.state.erased.has(blockOf(offset)) ? 0xff : 0);
  }
  private answer(index: number): number {
    switch (this.state.mode) {
      case 'query':
        return queryTable[index - queryStart] ?? 0;
      case 'identifier':
        return [manufacturer, deviceCode][index] ?? 0;
      default:
        return this.state.status;
    }
  }

  private program({ offset, size, value }: PendingWrite): void {
    const number = Math.floor(offset / pageBytes);
    let page = this.state.pages.get(number);
    if (page === undefined) page = new Uint8Array(pageBytes).fill(this.state.erased.has(blockOf(offset)) ? 0xff : 0);
    else if (!this.own.has(number)) page = page.slice();
    for (let at = 0; at < size; at++) page[(offset + at) % pageBytes] = Number((value >> BigInt(at * 8)) & 0xffn);
    this.own.add(number);
    this.state.pages.set(number, page);
  }
  private erase(block: number): void {
    const first = (block * blockBytes) / pageBytes;
    for (let page = first; page < first + blockBytes / pageBytes; page++) this.state.pages.delete(page);
    this.state.erased.add(block);
  }
}

function blockOf(offset: number): number {
  return Math.floor(offset / blockBytes);
}
function littleEndian16(value: number): number[] {
  return [value & 0xff, value >> 8];
}
