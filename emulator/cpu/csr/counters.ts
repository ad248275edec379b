// Counters: cycle and instret count, time comes from the machine, the programmable ones are there and stay 0. [RISC-V priv. 3.1.10 to 3.1.13]
import { privilege } from '../system/status';
import type { CsrHart, CsrRow } from './row';

const inhibit = { cycle: 1n, instret: 4n } as const;

interface Counter {
  readonly inhibit: bigint;
  readonly offset: 'cycleOffset' | 'instretOffset';
  counted(hart: CsrHart): bigint;
}
/** A cycle is an instruction attempted; time in which a hart waits is not counted. */
const cycle: Counter = { inhibit: inhibit.cycle, offset: 'cycleOffset', counted: (hart) => hart.attempted() };
const instret: Counter = {
  inhibit: inhibit.instret,
  offset: 'instretOffset',
  counted: (hart) => hart.attempted() - hart.state.get('trapped'),
};

/** While a counter is inhibited its offset cell holds its value, else what must be added to the count. */
function valueOf(hart: CsrHart, counter: Counter): bigint {
  const offset = hart.state.get(counter.offset);
  const stopped = (hart.state.get('mcountinhibit') & counter.inhibit) !== 0n;
  return BigInt.asUintN(64, stopped ? offset : counter.counted(hart) + offset);
}
/** The instruction that writes does not count itself into what it wrote. */
function setValue(hart: CsrHart, counter: Counter, value: bigint): void {
  const stopped = (hart.state.get('mcountinhibit') & counter.inhibit) !== 0n;
  hart.state.set(counter.offset, stopped ? value : value - counter.counted(hart) - 1n);
}

/** Instructions retired by a hart, as `minstret` shows it. */
export function retiredInstructions(hart: CsrHart): bigint {
  return valueOf(hart, instret);
}

/** Lower modes see a counter where the modes above them enabled it. [RISC-V priv. 3.1.11, 10.1.5] */
function counterEnabled(position: number): (hart: CsrHart) => boolean {
  const bit = 1n << BigInt(position);
  return ({ state }) => {
    const mode = state.getWord('mode');
    if (mode === privilege.M) return true;
    if ((state.get('mcounteren') & bit) === 0n) return false;
    return mode === privilege.S || (state.get('scounteren') & bit) !== 0n;
  };
}

function shadow(name: string, position: number, read: CsrRow['read']): CsrRow {
  return { name, number: 0xc00 + position, permits: counterEnabled(position), read };
}
function machineCounter(name: string, number: number, counter: Counter): CsrRow {
  return {
    name,
    number,
    read: (hart) => valueOf(hart, counter),
    write: (hart, value) => setValue(hart, counter, value),
  };
}
const zero = (): bigint => 0n;
const programmable = Array.from({ length: 29 }, (_, index) => index + 3);

export const counterRows: readonly CsrRow[] = [
  shadow('cycle', 0, (hart) => valueOf(hart, cycle)),
  {
    ...shadow('time', 1, (hart) => hart.time()),
    direct: { cell: 'scratch', readMask: 0n, writeMask: 0n, effect: 'time' },
  },
  shadow('instret', 2, (hart) => valueOf(hart, instret)),
  machineCounter('mcycle', 0xb00, cycle),
  machineCounter('minstret', 0xb02, instret),
  {
    name: 'mcountinhibit',
    number: 0x320,
    read: ({ state }) => state.get('mcountinhibit'),
    write: (hart, value) => {
      const values = [cycle, instret].map((counter) => [counter, valueOf(hart, counter)] as const);
      hart.state.set('mcountinhibit', value & (inhibit.cycle | inhibit.instret));
      for (const [counter, kept] of values) {
        const stopped = (hart.state.get('mcountinhibit') & counter.inhibit) !== 0n;
        hart.state.set(counter.offset, stopped ? kept : kept - counter.counted(hart));
      }
    },
  },
  ...programmable.flatMap((position): CsrRow[] => [
    shadow(`hpmcounter${position}`, position, zero),
    { name: `mhpmcounter${position}`, number: 0xb00 + position, read: zero },
    { name: `mhpmevent${position}`, number: 0x320 + position, read: zero },
  ]),
];
