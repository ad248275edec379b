// Where a variable is at an address: its expression, or the one of its location list that covers the pc.
// [DWARF 5, 2.6.2 and 7.7.3; DWARF 4, 2.6.2]
import { Cursor, encodeUtf8, MalformedInput } from '../bytes';
import { at, form } from './constants';
import { unavailable, type Location } from './expressions';
import { baseAddress } from './ranges';
import type { Entry, Unit } from './units';

const entryKind = {
  DW_LLE_end_of_list: 0,
  DW_LLE_base_addressx: 1,
  DW_LLE_startx_endx: 2,
  DW_LLE_startx_length: 3,
  DW_LLE_offset_pair: 4,
  DW_LLE_default_location: 5,
  DW_LLE_base_address: 6,
  DW_LLE_start_end: 7,
  DW_LLE_start_length: 8,
  DW_LLE_GNU_view_pair: 9,
} as const;

/**
 * The expression of a location attribute at a pc (link address), or why there is none. An absent attribute is the caller's
 * business.
 */
export function expressionAt(entry: Entry, attribute: number, pc: number): Uint8Array | Location {
  const block = entry.block(attribute);
  if (block !== undefined) return block.length === 0 ? unavailable('the compiler kept no place for it') : block;
  const slot = entry.slot(attribute);
  const value = entry.number(attribute);
  if (slot === undefined || value === undefined) return unavailable('its location has an unknown form');
  const { unit } = entry;
  const nowhere = unavailable('it has no value at this address');
  if (unit.version < 5) return oldList(unit, value, pc) ?? nowhere;
  if (slot.form !== form.DW_FORM_loclistx) return list(unit, value, pc) ?? nowhere;
  const base = unit.bases.loclists ?? 12;
  const table = new Cursor(unit.info.sections.get('loclists'), base + value * unit.offsetSize);
  return list(unit, base + table.unsigned(unit.offsetSize), pc) ?? nowhere;
}

function oldList(unit: Unit, offset: number, pc: number): Uint8Array | undefined {
  const cursor = new Cursor(unit.info.sections.get('loc'), offset);
  let base = baseAddress(unit);
  while (unit.info.budget.left-- > 0) {
    const low = cursor.address(8);
    const high = cursor.address(8);
    if (low === 0 && high === 0) return undefined;
    if (low === -1) {
      base = high;
      continue;
    }
    const expression = cursor.block(cursor.u16());
    if (base + low <= pc && pc < base + high) return expression;
  }
  throw new MalformedInput('a location list is longer than any real one');
}

function list(unit: Unit, offset: number, pc: number): Uint8Array | undefined {
  const cursor = new Cursor(unit.info.sections.get('loclists'), offset);
  const indexed = () => unit.info.sections.indexedAddress(unit.bases.addr, cursor.uleb());
  const expression = () => cursor.block(cursor.uleb());
  let base = baseAddress(unit);
  let otherwise: Uint8Array | undefined;
  while (unit.info.budget.left-- > 0) {
    const kind = cursor.u8();
    let low = 0;
    let high = 0;
    switch (kind) {
      case entryKind.DW_LLE_end_of_list:
        return otherwise;
      case entryKind.DW_LLE_base_addressx:
        base = indexed();
        continue;
      case entryKind.DW_LLE_base_address:
        base = cursor.address(8);
        continue;
      case entryKind.DW_LLE_GNU_view_pair:
        cursor.skipLeb();
        cursor.skipLeb();
        continue;
      case entryKind.DW_LLE_default_location:
        otherwise = expression();
        continue;
      case entryKind.DW_LLE_startx_endx:
        low = indexed();
        high = indexed();
        break;
      case entryKind.DW_LLE_startx_length:
        low = indexed();
        high = low + cursor.uleb();
        break;
      case entryKind.DW_LLE_offset_pair:
        low = base + cursor.uleb();
        high = base + cursor.uleb();
        break;
      case entryKind.DW_LLE_start_end:
        low = cursor.address(8);
        high = cursor.address(8);
        break;
      case entryKind.DW_LLE_start_length:
        low = cursor.address(8);
        high = low + cursor.uleb();
        break;
      default:
        throw new MalformedInput(`location list entry of unknown kind ${kind}`);
    }
    const found = expression();
    if (low <= pc && pc < high) return found;
  }
  throw new MalformedInput('a location list is longer than any real one');
}

/** The bytes of DW_AT_const_value, or undefined when the entry has none. [DWARF 5, 4.1, item 9] */
export function constantBytes(entry: Entry): Uint8Array | undefined {
  const block = entry.block(at.DW_AT_const_value);
  if (block !== undefined) return block;
  const value = entry.integer(at.DW_AT_const_value);
  if (value !== undefined) {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigInt64(0, BigInt.asIntN(64, value), true);
    return bytes;
  }
  const text = entry.text(at.DW_AT_const_value);
  return text === undefined ? undefined : encodeUtf8(text);
}
