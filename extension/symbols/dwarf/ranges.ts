// Code ranges of an entry: low and high pc, .debug_ranges, .debug_rnglists. [DWARF 5, 2.17 and 7.25; DWARF 4, 2.17.3]
import { Cursor, MalformedInput } from '../bytes';
import { at, form } from './constants';
import type { Budget, Entry, Unit } from './units';

/** Half-open, in link addresses. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

const entryKind = {
  DW_RLE_end_of_list: 0,
  DW_RLE_base_addressx: 1,
  DW_RLE_startx_endx: 2,
  DW_RLE_startx_length: 3,
  DW_RLE_offset_pair: 4,
  DW_RLE_base_address: 5,
  DW_RLE_start_end: 6,
  DW_RLE_start_length: 7,
} as const;

export function rangesOf(entry: Entry): Range[] {
  const { budget } = entry.unit.info;
  const slot = entry.slot(at.DW_AT_ranges);
  if (slot !== undefined) {
    const value = entry.number(at.DW_AT_ranges) ?? 0;
    if (entry.unit.version < 5) return oldRanges(entry.unit, value, budget);
    const { bases, offsetSize, info } = entry.unit;
    if (slot.form !== form.DW_FORM_rnglistx) return rangeList(entry.unit, value, budget);
    // Without a base the first table of the section is meant: its offsets follow the 12-byte header.
    const base = bases.rnglists ?? 12;
    const offset = new Cursor(info.sections.get('rnglists'), base + value * offsetSize).unsigned(offsetSize);
    return rangeList(entry.unit, base + offset, budget);
  }
  const low = entry.address(at.DW_AT_low_pc);
  const high = highPc(entry, low);
  return low !== undefined && high !== undefined && high > low ? [{ low, high }] : [];
}

function highPc(entry: Entry, low: number | undefined): number | undefined {
  const size = entry.number(at.DW_AT_high_pc);
  return size === undefined ? entry.address(at.DW_AT_high_pc) : low === undefined ? undefined : low + size;
}

/** What offsets in the unit's lists are relative to. [DWARF 5, 3.1.1] */
export function baseAddress(unit: Unit): number {
  return unit.root.address(at.DW_AT_low_pc) ?? 0;
}

function spend(budget: Budget): void {
  if (--budget.left < 0) throw new MalformedInput('its range lists are longer than any real ones');
}

function oldRanges(unit: Unit, offset: number, budget: Budget): Range[] {
  const ranges: Range[] = [];
  const cursor = new Cursor(unit.info.sections.get('ranges'), offset);
  let base = baseAddress(unit);
  for (;;) {
    spend(budget);
    const low = cursor.address(8);
    const high = cursor.address(8);
    if (low === 0 && high === 0) return ranges;
    if (low === -1) base = high;
    else if (high > low) ranges.push({ low: base + low, high: base + high });
  }
}

function rangeList(unit: Unit, offset: number, budget: Budget): Range[] {
  const ranges: Range[] = [];
  const cursor = new Cursor(unit.info.sections.get('rnglists'), offset);
  const indexed = () => unit.info.sections.indexedAddress(unit.bases.addr, cursor.uleb());
  let base = baseAddress(unit);
  const add = (low: number, high: number) => {
    if (high > low) ranges.push({ low, high });
  };
  for (;;) {
    spend(budget);
    const kind = cursor.u8();
    switch (kind) {
      case entryKind.DW_RLE_end_of_list:
        return ranges;
      case entryKind.DW_RLE_base_addressx:
        base = indexed();
        break;
      case entryKind.DW_RLE_startx_endx:
        add(indexed(), indexed());
        break;
      case entryKind.DW_RLE_startx_length: {
        const low = indexed();
        add(low, low + cursor.uleb());
        break;
      }
      case entryKind.DW_RLE_offset_pair: {
        const low = cursor.uleb();
        add(base + low, base + cursor.uleb());
        break;
      }
      case entryKind.DW_RLE_base_address:
        base = cursor.address(8);
        break;
      case entryKind.DW_RLE_start_end:
        add(cursor.address(8), cursor.address(8));
        break;
      case entryKind.DW_RLE_start_length: {
        const low = cursor.address(8);
        add(low, low + cursor.uleb());
        break;
      }
      default:
        throw new MalformedInput(`range list entry of unknown kind ${kind}`);
    }
  }
}
