// Lengths of attribute values by their form. [DWARF 5, 7.5.5 and 7.5.6]
import { MalformedInput, type Cursor } from '../bytes';
import { form } from './constants';

/** What the length of a form depends on. */
export interface FormContext {
  readonly version: number;
  readonly offsetSize: 4 | 8;
}

type Length = number | 'leb' | 'offset' | 'string' | 'block-leb' | 'block-1' | 'block-2' | 'block-4' | 'ref-addr';

const lengths: Readonly<Record<number, Length>> = {
  [form.DW_FORM_addr]: 8,
  [form.DW_FORM_block1]: 'block-1',
  [form.DW_FORM_block2]: 'block-2',
  [form.DW_FORM_block4]: 'block-4',
  [form.DW_FORM_block]: 'block-leb',
  [form.DW_FORM_exprloc]: 'block-leb',
  [form.DW_FORM_data1]: 1,
  [form.DW_FORM_data2]: 2,
  [form.DW_FORM_data4]: 4,
  [form.DW_FORM_data8]: 8,
  [form.DW_FORM_data16]: 16,
  [form.DW_FORM_string]: 'string',
  [form.DW_FORM_flag]: 1,
  [form.DW_FORM_sdata]: 'leb',
  [form.DW_FORM_udata]: 'leb',
  [form.DW_FORM_strp]: 'offset',
  [form.DW_FORM_line_strp]: 'offset',
  [form.DW_FORM_strp_sup]: 'offset',
  [form.DW_FORM_GNU_strp_alt]: 'offset',
  [form.DW_FORM_GNU_ref_alt]: 'offset',
  [form.DW_FORM_sec_offset]: 'offset',
  [form.DW_FORM_ref_addr]: 'ref-addr',
  [form.DW_FORM_ref1]: 1,
  [form.DW_FORM_ref2]: 2,
  [form.DW_FORM_ref4]: 4,
  [form.DW_FORM_ref8]: 8,
  [form.DW_FORM_ref_udata]: 'leb',
  [form.DW_FORM_ref_sup4]: 4,
  [form.DW_FORM_ref_sup8]: 8,
  [form.DW_FORM_ref_sig8]: 8,
  [form.DW_FORM_flag_present]: 0,
  [form.DW_FORM_implicit_const]: 0,
  [form.DW_FORM_strx]: 'leb',
  [form.DW_FORM_addrx]: 'leb',
  [form.DW_FORM_loclistx]: 'leb',
  [form.DW_FORM_rnglistx]: 'leb',
  [form.DW_FORM_GNU_addr_index]: 'leb',
  [form.DW_FORM_GNU_str_index]: 'leb',
  [form.DW_FORM_strx1]: 1,
  [form.DW_FORM_strx2]: 2,
  [form.DW_FORM_strx3]: 3,
  [form.DW_FORM_strx4]: 4,
  [form.DW_FORM_addrx1]: 1,
  [form.DW_FORM_addrx2]: 2,
  [form.DW_FORM_addrx3]: 3,
  [form.DW_FORM_addrx4]: 4,
};

/** The number of bytes of a form, where every value in that form has the same. */
export function fixedLength(attributeForm: number): number | undefined {
  const length = lengths[attributeForm];
  // 32-bit DWARF; units in the 64-bit format do not use the short cut.
  return typeof length === 'number' ? length : length === 'offset' ? 4 : undefined;
}

/** Moves behind a value. */
export function skipForm(cursor: Cursor, attributeForm: number, context: FormContext): void {
  let actual = attributeForm;
  while (actual === form.DW_FORM_indirect) actual = cursor.uleb();
  const length = lengths[actual];
  switch (length) {
    case undefined:
      throw new MalformedInput(`attribute form 0x${actual.toString(16)} is not known`);
    case 'leb':
      return cursor.skipLeb();
    case 'offset':
      return cursor.skip(context.offsetSize);
    case 'ref-addr':
      // An address in DWARF 2 only. [DWARF 3, 7.5.4]
      return cursor.skip(context.version <= 2 ? 8 : context.offsetSize);
    case 'string':
      cursor.skipString();
      return;
    case 'block-leb':
      return cursor.skip(cursor.uleb());
    case 'block-1':
      return cursor.skip(cursor.u8());
    case 'block-2':
      return cursor.skip(cursor.u16());
    case 'block-4':
      return cursor.skip(cursor.u32());
    default:
      return cursor.skip(length);
  }
}
