// Call frame instructions: from a frame description to its table of unwinding rules. [DWARF 5, 6.4.2]
import { Cursor, MalformedInput } from '../bytes';
import type { FrameDescription } from './frames';

export type RegisterRule =
  | { readonly kind: 'undefined' }
  | { readonly kind: 'same' }
  /** Saved at CFA + offset. */
  | { readonly kind: 'offset'; readonly offset: number }
  /** Is CFA + offset. */
  | { readonly kind: 'value offset'; readonly offset: number }
  | { readonly kind: 'register'; readonly register: number }
  | { readonly kind: 'expression'; readonly bytes: Uint8Array }
  | { readonly kind: 'value expression'; readonly bytes: Uint8Array };

export type CfaRule =
  | { readonly kind: 'register'; readonly register: number; readonly offset: number }
  | { readonly kind: 'expression'; readonly bytes: Uint8Array };

/** The rules for `address <= pc < end`. Making the next row changes the map: use a row before asking for another. */
export interface FrameRow {
  readonly address: number;
  readonly end: number;
  readonly cfa: CfaRule;
  readonly registers: ReadonlyMap<number, RegisterRule>;
}

const instruction = {
  DW_CFA_nop: 0x00,
  DW_CFA_set_loc: 0x01,
  DW_CFA_advance_loc1: 0x02,
  DW_CFA_advance_loc2: 0x03,
  DW_CFA_advance_loc4: 0x04,
  DW_CFA_offset_extended: 0x05,
  DW_CFA_restore_extended: 0x06,
  DW_CFA_undefined: 0x07,
  DW_CFA_same_value: 0x08,
  DW_CFA_register: 0x09,
  DW_CFA_remember_state: 0x0a,
  DW_CFA_restore_state: 0x0b,
  DW_CFA_def_cfa: 0x0c,
  DW_CFA_def_cfa_register: 0x0d,
  DW_CFA_def_cfa_offset: 0x0e,
  DW_CFA_def_cfa_expression: 0x0f,
  DW_CFA_expression: 0x10,
  DW_CFA_offset_extended_sf: 0x11,
  DW_CFA_def_cfa_sf: 0x12,
  DW_CFA_def_cfa_offset_sf: 0x13,
  DW_CFA_val_offset: 0x14,
  DW_CFA_val_offset_sf: 0x15,
  DW_CFA_val_expression: 0x16,
  DW_CFA_GNU_args_size: 0x2e,
  DW_CFA_GNU_negative_offset_extended: 0x2f,
  DW_CFA_advance_loc: 0x40,
  DW_CFA_offset: 0x80,
  DW_CFA_restore: 0xc0,
} as const;

const mostRegisters = 256;
const mostRemembered = 64;

interface State {
  cfa: CfaRule;
  registers: Map<number, RegisterRule>;
}

/** All rows of a description, ascending. Throws `MalformedInput`. */
export function* runInstructions(description: FrameDescription): Generator<FrameRow> {
  const { common } = description;
  const state: State = { cfa: { kind: 'register', register: 2, offset: 0 }, registers: new Map() };
  const initial = new Map<number, RegisterRule>();
  const remembered: State[] = [];
  let address = description.low;
  const set = (register: number, rule: RegisterRule) => {
    if (state.registers.size >= mostRegisters)
      throw new MalformedInput('it has rules for more registers than there are');
    state.registers.set(register, rule);
  };
  const restore = (register: number) => {
    const rule = initial.get(register);
    if (rule === undefined) state.registers.delete(register);
    else set(register, rule);
  };
  const offset = (value: number): RegisterRule => ({ kind: 'offset', offset: value * common.dataAlignment });
  const expression = (cursor: Cursor) => cursor.block(cursor.uleb());
  const cfaRegister = () => {
    if (state.cfa.kind !== 'register') throw new MalformedInput('it changes a frame address that is an expression');
    return state.cfa;
  };

  /** Carries one instruction out; the distance to the next row, or undefined when it does not begin one. */
  const execute = (cursor: Cursor): number | undefined => {
    const code = cursor.u8();
    const operand = code & 0x3f;
    switch (code & 0xc0) {
      case instruction.DW_CFA_advance_loc:
        return operand * common.codeAlignment;
      case instruction.DW_CFA_offset:
        set(operand, offset(cursor.uleb()));
        return undefined;
      case instruction.DW_CFA_restore:
        restore(operand);
        return undefined;
    }
    switch (code) {
      case instruction.DW_CFA_nop:
        return undefined;
      case instruction.DW_CFA_set_loc:
        return cursor.address(8) - address;
      case instruction.DW_CFA_advance_loc1:
        return cursor.u8() * common.codeAlignment;
      case instruction.DW_CFA_advance_loc2:
        return cursor.u16() * common.codeAlignment;
      case instruction.DW_CFA_advance_loc4:
        return cursor.u32() * common.codeAlignment;
      case instruction.DW_CFA_offset_extended:
        set(cursor.uleb(), offset(cursor.uleb()));
        return undefined;
      case instruction.DW_CFA_offset_extended_sf:
        set(cursor.uleb(), offset(cursor.sleb()));
        return undefined;
      case instruction.DW_CFA_GNU_negative_offset_extended:
        set(cursor.uleb(), offset(-cursor.uleb()));
        return undefined;
      case instruction.DW_CFA_restore_extended:
        restore(cursor.uleb());
        return undefined;
      case instruction.DW_CFA_undefined:
        set(cursor.uleb(), { kind: 'undefined' });
        return undefined;
      case instruction.DW_CFA_same_value:
        set(cursor.uleb(), { kind: 'same' });
        return undefined;
      case instruction.DW_CFA_register:
        set(cursor.uleb(), { kind: 'register', register: cursor.uleb() });
        return undefined;
      case instruction.DW_CFA_remember_state:
        if (remembered.length >= mostRemembered) throw new MalformedInput('it remembers too much');
        remembered.push({ cfa: state.cfa, registers: new Map(state.registers) });
        return undefined;
      case instruction.DW_CFA_restore_state: {
        const saved = remembered.pop();
        if (saved === undefined) throw new MalformedInput('it restores what it has not remembered');
        state.cfa = saved.cfa;
        state.registers = saved.registers;
        return undefined;
      }
      case instruction.DW_CFA_def_cfa:
        state.cfa = { kind: 'register', register: cursor.uleb(), offset: cursor.uleb() };
        return undefined;
      case instruction.DW_CFA_def_cfa_sf:
        state.cfa = { kind: 'register', register: cursor.uleb(), offset: cursor.sleb() * common.dataAlignment };
        return undefined;
      case instruction.DW_CFA_def_cfa_register:
        state.cfa = { ...cfaRegister(), register: cursor.uleb() };
        return undefined;
      case instruction.DW_CFA_def_cfa_offset:
        state.cfa = { ...cfaRegister(), offset: cursor.uleb() };
        return undefined;
      case instruction.DW_CFA_def_cfa_offset_sf:
        state.cfa = { ...cfaRegister(), offset: cursor.sleb() * common.dataAlignment };
        return undefined;
      case instruction.DW_CFA_def_cfa_expression:
        state.cfa = { kind: 'expression', bytes: expression(cursor) };
        return undefined;
      case instruction.DW_CFA_expression:
        set(cursor.uleb(), { kind: 'expression', bytes: expression(cursor) });
        return undefined;
      case instruction.DW_CFA_val_expression:
        set(cursor.uleb(), { kind: 'value expression', bytes: expression(cursor) });
        return undefined;
      case instruction.DW_CFA_val_offset:
        set(cursor.uleb(), { kind: 'value offset', offset: cursor.uleb() * common.dataAlignment });
        return undefined;
      case instruction.DW_CFA_val_offset_sf:
        set(cursor.uleb(), { kind: 'value offset', offset: cursor.sleb() * common.dataAlignment });
        return undefined;
      case instruction.DW_CFA_GNU_args_size:
        cursor.skipLeb();
        return undefined;
      default:
        throw new MalformedInput(`call frame instruction 0x${code.toString(16)} is not known`);
    }
  };

  const preset = new Cursor(common.instructions);
  while (!preset.done) execute(preset);
  for (const [register, rule] of state.registers) initial.set(register, rule);
  const cursor = new Cursor(description.instructions);
  while (!cursor.done) {
    const distance = execute(cursor);
    if (distance === undefined) continue;
    yield { address, end: address + distance, cfa: state.cfa, registers: state.registers };
    address += distance;
  }
  yield { address, end: Infinity, cfa: state.cfa, registers: state.registers };
}
