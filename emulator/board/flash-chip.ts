// One NOR flash chip with the Intel command set, 16 bits wide, 16 MiB, empty. [JEDEC JESD68 (CFI); Intel StrataFlash P30 datasheet]
// Guarantees: memory is used only for pages that were programmed or erased.
import type { SavedState, Stateful } from '../bus/access';

const command = {
  clearReadArray: 0x00,
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

export const chipBytes = 16 << 20;
const blockWords = (128 << 10) / 2;
const pageWords = 2048;
/** Words of the write buffer. */
const bufferWords = 32;
const manufacturer = 0x89;
const deviceCode = 0x18;

const ascii = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));
/** The query table from index 0x10 on. Powers of two are exponents; times are in the units of the standard. [JESD68 4] */
const queryTable: readonly number[] = [
  ...ascii('QRY'),
  // Command set Intel extended, its table at 0x31; no alternative set.
  ...[0x01, 0x00, 0x31, 0x00, 0x00, 0x00, 0x00, 0x00],
  // Supply voltages 4.5 V to 5.5 V, no programming voltage.
  ...[0x45, 0x55, 0x00, 0x00],
  // Typical times of a word, a buffer, a block erase and a chip erase; then how many times longer they may take.
  ...[0x07, 0x07, 0x0a, 0x00, 0x04, 0x04, 0x04, 0x00],
  Math.log2(chipBytes),
  // 16-bit interface.
  ...[0x01, 0x00],
  ...[Math.log2(bufferWords * 2), 0x00],
  // One region of equal blocks: how many less one, and their size in units of 256 bytes.
  1,
  ...littleEndian16(chipBytes / 2 / blockWords - 1),
  ...littleEndian16((blockWords * 2) / 256),
  // The extended table: version 1.0, no optional features.
  ...ascii('PRI10'),
  ...new Array<number>(12).fill(0),
];
const queryStart = 0x10;

type Mode = 'array' | 'query' | 'identifier' | 'status';
/** What the next write means; undefined: a command. */
type Expectation =
  | undefined
  | { readonly what: 'program' | 'erase-confirm' | 'lock' | 'buffer-count' }
  | {
      readonly what: 'buffer-data';
      readonly block: number;
      readonly left: number;
      readonly writes: readonly [address: number, value: number][];
    }
  | {
      readonly what: 'buffer-confirm';
      readonly block: number;
      readonly writes: readonly [address: number, value: number][];
    };

interface ChipState {
  mode: Mode;
  status: number;
  expectation: Expectation;
  /** Programmed pages by page number; what is not there is as at the factory here: zero. */
  pages: Map<number, Uint16Array>;
  /** Blocks that were erased: their missing pages read as all ones. */
  erased: Set<number>;
}

type SavedChip = Omit<ChipState, 'pages' | 'erased'> & {
  pages: [number, Uint16Array][];
  erased: number[];
};

export class FlashChip implements Stateful {
  private state: ChipState = initialState();
  /** Pages that no saved state refers to, so that they may be changed in place. */
  private own = new Set<number>();

  /** @param address in words of 16 bits */
  read(address: number): number {
    switch (this.state.mode) {
      case 'array':
        return this.word(address);
      case 'query':
        return queryTable[(address & 0xff) - queryStart] ?? 0;
      case 'identifier':
        return identifierWord(address);
      case 'status':
        return this.state.status;
    }
  }

  write(address: number, value: number): void {
    const { expectation } = this.state;
    if (expectation === undefined) {
      this.command(value & 0xff);
      return;
    }
    this.state.expectation = undefined;
    switch (expectation.what) {
      case 'program':
        this.program(address, value);
        break;
      case 'erase-confirm':
        if ((value & 0xff) === command.confirm) this.erase(blockOf(address));
        else this.refuse();
        break;
      case 'lock':
        // Locking is not modelled: every block stays unlocked, and the lock commands succeed.
        break;
      case 'buffer-count':
        if (value < bufferWords) {
          this.state.expectation = { what: 'buffer-data', block: blockOf(address), left: value + 1, writes: [] };
        } else {
          this.refuse();
        }
        break;
      case 'buffer-data': {
        const writes: [number, number][] = [...expectation.writes, [address, value]];
        const left = expectation.left - 1;
        const { block } = expectation;
        this.state.expectation =
          left > 0 ? { what: 'buffer-data', block, left, writes } : { what: 'buffer-confirm', block, writes };
        break;
      }
      case 'buffer-confirm':
        if (
          (value & 0xff) !== command.confirm ||
          expectation.writes.some(([at]) => blockOf(at) !== expectation.block)
        ) {
          this.refuse();
          break;
        }
        for (const [at, word] of expectation.writes) this.program(at, word);
        break;
    }
  }

  reset(): void {
    this.state = initialState();
    this.own = new Set();
  }
  save(): SavedState {
    this.own = new Set();
    // Pages are shared until one side changes them: a page is replaced, never changed, while a saved state may refer to it.
    const saved: SavedChip = { ...this.state, pages: [...this.state.pages], erased: [...this.state.erased] };
    return saved;
  }
  restore(state: SavedState): void {
    const saved = state as SavedChip;
    this.own = new Set();
    this.state = { ...saved, pages: new Map(saved.pages), erased: new Set(saved.erased) };
  }

  private command(value: number): void {
    const { state } = this;
    switch (value) {
      case command.clearReadArray:
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
        this.expect({ what: 'program' });
        break;
      case command.blockErase:
        this.expect({ what: 'erase-confirm' });
        break;
      case command.bufferedProgram:
        this.expect({ what: 'buffer-count' });
        break;
      case command.lockSetup:
        this.expect({ what: 'lock' });
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
  /** A sequence that is not one: both error bits. */
  private refuse(): void {
    this.state.status |= status.eraseError | status.programError;
  }

  private word(address: number): number {
    const page = this.state.pages.get(Math.floor(address / pageWords));
    if (page !== undefined) return page[address % pageWords] ?? 0;
    return this.state.erased.has(blockOf(address)) ? 0xffff : 0;
  }
  /** Programming only takes bits from 1 to 0. */
  private program(address: number, value: number): void {
    const number = Math.floor(address / pageWords);
    let page = this.state.pages.get(number);
    if (page === undefined)
      page = new Uint16Array(pageWords).fill(this.state.erased.has(blockOf(address)) ? 0xffff : 0);
    else if (!this.own.has(number)) page = page.slice();
    page[address % pageWords] = (page[address % pageWords] ?? 0) & value;
    this.own.add(number);
    this.state.pages.set(number, page);
  }
  private erase(block: number): void {
    const first = (block * blockWords) / pageWords;
    for (let page = first; page < first + blockWords / pageWords; page++) this.state.pages.delete(page);
    this.state.erased.add(block);
  }
}

function initialState(): ChipState {
  return { mode: 'array', status: status.ready, expectation: undefined, pages: new Map(), erased: new Set() };
}
function identifierWord(address: number): number {
  switch (address & 0xff) {
    case 0:
      return manufacturer;
    case 1:
      return deviceCode;
    default:
      return 0;
  }
}
function blockOf(address: number): number {
  return Math.floor(address / blockWords);
}
function littleEndian16(value: number): number[] {
  return [value & 0xff, value >> 8];
}
