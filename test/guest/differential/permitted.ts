// Where QEMU and the emulator may differ, with the reason: data for the comparison, for what the campaign prints and for the docs.
import { decode } from '../../../emulator/cpu/decoder';
import { isProtected, placeOf, status } from './context';
import { isInvalidationFence, type Sequence } from './generate';
import type { State } from './image';
import { codeBase, control, ramBase, resultsBase, trapLimit, userAlias } from './layout';

export interface PermittedDifference {
  readonly what: string;
  readonly why: string;
  /** Whether a difference in this field of the state is one of this kind. */
  covers(field: string, qemu: State, ours: State): boolean;
}

const never = (): boolean => false;

const floatStatus = 3n << 13n;
const someDirty = 1n << 63n;

export const permittedDifferences: readonly PermittedDifference[] = [
  {
    what: 'Counters and time: cycle, time, instret, mcycle, minstret',
    why: 'They count host time or another unit of work. Sequences read them, which may trap, and throw the value away.',
    covers: never,
  },
  {
    what: 'WARL fields and reserved bits: mstatus, medeleg, mideleg, mie, mip, counter enables, environment configuration, xtvec, pmpcfg, pmpaddr',
    why: 'Each machine makes its own legal value of an illegal one. Sequences write the bits that both define (csr-choices.ts).',
    covers: never,
  },
  {
    what: 'CSRs of one machine only: machine ids, performance events, triggers',
    why: 'The values say which machine it is, or the extension is not implemented here. Ids are read and thrown away, the others left alone.',
    covers: never,
  },
  {
    what: 'mstatus.FS and SD after an instruction that raises floating-point flags without writing an f register',
    why: 'The emulator marks the state dirty because fcsr changed; QEMU 7.2 leaves it initial or clean.',
    covers: (field, qemu, ours) => {
      if (!field.endsWith('mstatus')) return false;
      const [theirs = 0n, own = 0n] = [qemu.get(field), ours.get(field)];
      const onlyFloat = ((theirs ^ own) & ~(floatStatus | someDirty)) === 0n;
      return onlyFloat && (theirs & floatStatus) !== 0n && (own & floatStatus) === floatStatus;
    },
  },
  {
    what: 'An SC without a valid reservation at a place that cannot be stored to',
    why: 'QEMU fails it without looking at memory; the emulator takes the fault. The generator places every SC behind an LR that succeeded.',
    covers: never,
  },
  {
    what: 'An SC to another address of the reserved 64 bytes',
    why: 'QEMU reserves exactly what LR read, the emulator the 64 bytes around it. Every SC has the address and width of its LR.',
    covers: never,
  },
  {
    what: 'xtval after a misaligned access to a place without memory, xcause after an AMO to one',
    why: 'QEMU splits both, stores the first part, and reports the aligned part or the load. Sequences in which that happens are made anew.',
    covers: never,
  },
  {
    what: 'The choice among several pending interrupts',
    why: 'QEMU 7.2 takes the lowest number first. Sequences let only one be pending.',
    covers: never,
  },
  {
    what: 'mstatus.MPRV after a return from M-mode to a lower one',
    why: 'QEMU 7.2 does not clear it. Sequences with MPRV do not return.',
    covers: never,
  },
  {
    what: 'Misaligned accesses that cross pages while protected regions end inside them',
    why: 'QEMU checks the whole access first, the emulator each page part: sequences that do it are made anew.',
    covers: never,
  },
  {
    what: 'Bit 0 of mepc and sepc',
    why: 'QEMU 7.2 stores it. Sequences write it as 0.',
    covers: never,
  },
  {
    what: 'Translations under MPRV after a trap changed MPP',
    why: 'QEMU 7.2 uses stale ones. The harness fences before it resumes; sequences that fault at the registers it loads then are made anew.',
    covers: never,
  },
  {
    what: 'Data accesses under MPRV to pages that M-mode executes',
    why: 'QEMU 7.2 accesses what it has a fetch translation for. Sequences that fault there are made anew.',
    covers: never,
  },
  {
    what: 'Zicond, Zfa and the operations on cache blocks',
    why: 'QEMU 7.2 does not have them. They are judged by definitions of their own (test/unit/cpu); sequences with them compare the interpreter and the compiler only.',
    covers: never,
  },
  {
    what: 'Page-table entries with memory type 3, with bits 54 to 60, or with a memory type while menvcfg.PBMTE is clear',
    why: 'QEMU 7.2 takes them where it has Svpbmt; here they fault, as they are reserved. Sequences have none of them.',
    covers: never,
  },
  {
    what: 'A and D of an entry whose N bit is illegal: above the last level, or with a reserved page number',
    why: 'QEMU 7.2 sets them before it finds that out; here nothing changes.',
    covers: (field, qemu, ours) => {
      if (!field.includes(' entry ')) return false;
      const [theirs = 0n, own = 0n] = [qemu.get(field), ours.get(field)];
      const isRange = field.startsWith('leaf') && ((own >> 10n) & 15n) === 8n;
      return own >> 63n === 1n && !isRange && (own & ~theirs) === 0n && (theirs & ~own & ~0xc0n) === 0n;
    },
  },
  {
    what: 'CTZW of a low word of 0',
    why: 'QEMU 7.2 goes on counting in the upper word. Every operand of CTZW has a bit in the low word.',
    covers: never,
  },
  {
    what: 'SFENCE.W.INVAL and SFENCE.INVAL.IR in U-mode',
    why: 'QEMU 7.2 executes them; here they are illegal. Sequences that run into one are made anew.',
    covers: never,
  },
  {
    what: 'xtval after a SINVAL.VMA that is illegal',
    why: 'QEMU 7.2 leaves the instruction out. Where it is among the logged traps, sequences are made anew.',
    covers: (field, qemu, ours) =>
      field.endsWith('tval') && qemu.get(field) === 0n && decode(Number(ours.get(field)))?.row.name === 'sinval.vma',
  },
  {
    what: 'stimecmp while menvcfg.STCE is clear',
    why: 'On QEMU it drives STIP all the same. Sequences write it only while STCE is set.',
    covers: never,
  },
  {
    what: 'Instructions that stores changed, without FENCE.I',
    why: 'Either the old or the new one may be executed. Sequences that change themselves have a FENCE.I behind the store; those that execute anything but their own code are made anew.',
    covers: never,
  },
  {
    what: 'Fetches beyond the end of a protected region inside a page',
    why: 'QEMU 7.2 checks the first fetch of a translated block in a page, the emulator each halfword. Sequences that run into such an end are made anew.',
    covers: never,
  },
  {
    what: 'Protected regions inside an access',
    why: 'QEMU looks at the first and last byte of an access only. No region is smaller than 8 bytes.',
    covers: never,
  },
  {
    what: 'The lower end of a top-of-range region when the pmpaddr below it is written',
    why: 'QEMU 7.2 keeps the old end until a pmpcfg is written. Sequences write one right behind.',
    covers: never,
  },
  {
    what: 'Fetches by S-mode from pages of U-mode while SUM is set',
    why: 'QEMU 7.2 executes what it has a data translation for. Sequences that fault there are made anew.',
    covers: never,
  },
];

/** Whether a sequence ran into what QEMU and the emulator are known to do differently, told from the traps on our side. */
export function isAmbiguous(sequence: Sequence, state: State): boolean {
  // The trap that ends a sequence at the limit is not in the log.
  if ((state.get('traps') ?? 0n) >= BigInt(trapLimit)) return true;
  for (let trap = 0; trap < trapLimit; trap++) {
    const field = (name: string): bigint => state.get(`trap ${trap} ${name}`) ?? 0n;
    // A delegated trap is logged by the supervisor handler's own ecall.
    const delegated = field('mcause') === 9n && field('mepc') < BigInt(control.base);
    const cause = field(delegated ? 'scause' : 'mcause');
    const address = field(delegated ? 'stval' : 'mtval');
    const pc = Number(field(delegated ? 'sepc' : 'mepc'));
    const offset = (pc >= sequence.start + userAlias ? pc - userAlias : pc) - sequence.start;
    // Only a fetch may fail elsewhere; what else traps there was executed.
    const elsewhere = offset < 0 || offset >= sequence.code.length;
    if (elsewhere && state.has(`trap ${trap} mcause`) && ![1n, 12n].includes(cause) && cause < 1n << 63n) return true;
    const name = nameAt(sequence, offset);
    if (cause === 2n && (isInvalidationFence(name) || name === 'sinval.vma')) return true;
    // An LR trapped whose SC was executed all the same.
    if (sequence.reservations.includes(sequence.start + offset)) return true;
    if (cause === 12n && (field('mstatus') & status.SUM) !== 0n) return true;
    if (cause === 1n && isProtected(sequence.context) && !isJumpTarget(sequence, BigInt(pc), address)) return true;
    if ((cause === 13n || cause === 15n) && sequence.context.mode === 'M' && hasMachineTranslation(address))
      return true;
    const ofData = [5n, 7n, 13n, 15n].includes(cause);
    if (ofData && isProtected(sequence.context) && (address + 8n) % 4096n <= 8n) return true;
    if (cause !== 5n && cause !== 7n) continue;
    const place = placeOf(sequence.context, address);
    if (place === 'device') return true;
    // A page's first byte may be where the second half of a store begins, whose first half QEMU has stored by then.
    if (place === 'hole' && (address % 8n !== 0n || address % 4096n === 0n || isAtomic(sequence, offset))) return true;
  }
  return false;
}

/** Whether a fetch failed right where an address register leads, so that nothing was executed before it there. */
function isJumpTarget({ context }: Sequence, pc: bigint, address: bigint): boolean {
  return address === pc && context.addressRegisters.some((register) => context.x[register] === pc);
}

/** Whether M-mode has a translation for that page: it fetches there, or the harness loads its registers from there. */
function hasMachineTranslation(address: bigint): boolean {
  const inHarness = address >= BigInt(ramBase) && address < BigInt(control.base + 4096);
  return inHarness || (address >= BigInt(codeBase) && address < BigInt(resultsBase));
}

/** Whether an AMO stands there; what is outside of the sequence may be one. */
function isAtomic(sequence: Sequence, offset: number): boolean {
  const { code } = sequence;
  if (offset < 0 || offset > code.length - 4) return true;
  return nameAt(sequence, offset).startsWith('amo');
}

/** The name of the 32-bit instruction that stands there, or nothing. */
function nameAt({ code }: Sequence, offset: number): string {
  if (offset < 0 || offset > code.length - 4) return '';
  return decode(new DataView(code.buffer).getUint32(offset, true))?.row.name ?? '';
}

/** The text of docs/cpu-differences.md. */
export function permittedMarkdown(): string {
  return [
    '# Where the processor may differ from QEMU',
    '',
    'The differential test runs random instruction sequences here and on QEMU 7.2 and compares registers, CSRs, page tables, memory and',
    'traps after each (`npm run campaign:cpu -- --count 100000 --seed 1`). These differences are permitted. The list is data of the test,',
    'in `test/guest/differential/permitted.ts`; what differs in any other way fails it.',
    '',
    'The campaign so far, on several states of the tree: 250,000 programs with the generator before it changed instructions, then 40,000 of seed 1001,',
    '205,000 of seed 2001 and 415,000 of seed 3001, the last with every instruction of the table. Every difference found is explained below or was',
    'repaired; seed 3001 has none.',
    '',
    ...permittedDifferences.map(({ what, why }) => `- **${what}.** ${why}`),
    '',
  ].join('\n');
}
