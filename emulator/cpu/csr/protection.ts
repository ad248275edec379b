// pmpcfg and pmpaddr: what may be written, and the regions that follow. [RISC-V priv. 3.7.1]
import { hartCell, pmpCache, pmpRegion } from '../layout';
import type { HartState } from '../hart-state';
import { pmpPermission } from '../system/protection';
import type { CsrHart, CsrRow } from './row';

export const pmpEntries = 16;
const addressBits = (1n << 54n) - 1n;
const mode = { off: 0, topOfRange: 1, naturallyAlignedFour: 2, naturallyAlignedPower: 3 } as const;

export function pmpConfiguration(state: HartState, entry: number): number {
  const register = state.get(entry < 8 ? 'pmpcfg0' : 'pmpcfg2');
  return Number((register >> BigInt((entry % 8) * 8)) & 0xffn);
}
function addressMode(configuration: number): number {
  return (configuration >> 3) & 3;
}
function isLocked(configuration: number): boolean {
  return (configuration & pmpPermission.locked) !== 0;
}
export function pmpAddress(state: HartState, entry: number): bigint {
  return state.at(hartCell.pmpaddr + entry * 8);
}

/** First and last byte of an entry's region; `undefined` where it matches nothing. */
function regionOf(state: HartState, entry: number): readonly [bigint, bigint] | undefined {
  const address = pmpAddress(state, entry);
  switch (addressMode(pmpConfiguration(state, entry))) {
    case mode.topOfRange: {
      const first = entry === 0 ? 0n : pmpAddress(state, entry - 1) << 2n;
      const end = address << 2n;
      return first < end ? [first, end - 1n] : undefined;
    }
    case mode.naturallyAlignedFour:
      return [address << 2n, (address << 2n) + 3n];
    case mode.naturallyAlignedPower: {
      const low = address ^ (address + 1n);
      const first = (address & ~low) << 2n;
      return [first, first + ((low + 1n) << 2n) - 1n];
    }
    default:
      return undefined;
  }
}

/** Derives the regions that memory protection walks. */
export function updateRegions(hart: CsrHart): void {
  const { state } = hart;
  let count = 0;
  for (let entry = 0; entry < pmpEntries; entry++) {
    const at = hartCell.pmpRegions + entry * pmpRegion.strideBytes;
    const region = regionOf(state, entry);
    // No address lies at or above the greatest one and at or below 0.
    const [first, last] = region ?? [-1n, 0n];
    state.put(at + pmpRegion.first, first);
    state.put(at + pmpRegion.last, last);
    state.put(at + pmpRegion.permissions, BigInt(pmpConfiguration(state, entry)));
    if (region !== undefined) count = entry + 1;
  }
  state.set('pmpCount', BigInt(count));
  forgetDecisions(state);
  hart.flush();
}

/** Forgets what was decided for whole pages. */
export function forgetDecisions(state: HartState): void {
  const cache = state.base + hartCell.pmpCache;
  state.memory.bytes.fill(0xff, cache, cache + pmpCache.entries * pmpCache.entryBytes);
}

/** Bits 5 and 6 do not exist, and writable without readable is reserved. */
function legalConfiguration(value: number): number {
  const known = value & 0x9f;
  return (known & pmpPermission.read) === 0 ? known & ~pmpPermission.write : known;
}

function configurationRow(number: number, cell: 'pmpcfg0' | 'pmpcfg2'): CsrRow {
  return {
    name: cell,
    number,
    read: ({ state }) => state.get(cell),
    write: (hart, value) => {
      let next = 0n;
      for (let entry = 0; entry < 8; entry++) {
        const old = pmpConfiguration(hart.state, entry + (cell === 'pmpcfg0' ? 0 : 8));
        const wanted = legalConfiguration(Number((value >> BigInt(entry * 8)) & 0xffn));
        next |= BigInt(isLocked(old) ? old : wanted) << BigInt(entry * 8);
      }
      hart.state.set(cell, next);
      updateRegions(hart);
    },
  };
}

function addressRow(entry: number): CsrRow {
  return {
    name: `pmpaddr${entry}`,
    number: 0x3b0 + entry,
    read: ({ state }) => pmpAddress(state, entry),
    write: (hart, value) => {
      const next = entry + 1 < pmpEntries ? pmpConfiguration(hart.state, entry + 1) : 0;
      const boundsLocked = isLocked(next) && addressMode(next) === mode.topOfRange;
      if (isLocked(pmpConfiguration(hart.state, entry)) || boundsLocked) return;
      hart.state.put(hartCell.pmpaddr + entry * 8, value & addressBits);
      updateRegions(hart);
    },
  };
}

/** Opens all of memory to every mode, as firmware would before it leaves M-mode. */
export function openAll(hart: CsrHart): void {
  hart.state.put(hartCell.pmpaddr, addressBits);
  const all = pmpPermission.read | pmpPermission.write | pmpPermission.execute;
  hart.state.set('pmpcfg0', BigInt((mode.naturallyAlignedPower << 3) | all));
  updateRegions(hart);
}

export const protectionRows: readonly CsrRow[] = [
  configurationRow(0x3a0, 'pmpcfg0'),
  configurationRow(0x3a2, 'pmpcfg2'),
  ...Array.from({ length: pmpEntries }, (_, entry) => addressRow(entry)),
];
