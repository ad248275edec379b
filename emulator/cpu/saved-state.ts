// A hart's state as plain data and back. Registers and cells are copied as they lie; translations are part of the state, because a
// guest that changes page tables without a fence may observe them.
import type { HartState } from './hart-state';
import { hartCell, translation } from './layout';
import type { HartRun } from './turns';

export interface SavedHart {
  readonly x: Uint8Array;
  readonly f: Uint8Array;
  readonly cells: Uint8Array;
  readonly translations: Uint8Array;
}

export interface SavedProcessor {
  readonly steps: number;
  readonly harts: readonly SavedHart[];
  readonly states: readonly HartRun[];
  readonly current: number;
  readonly left: number;
  readonly extended: boolean;
  readonly lastHart: number;
  /** Offset of the reserved set in RAM, or -1. */
  readonly reservation: number;
  readonly reservationStep: number;
}

/** Whether an object has the parts of a saved processor with so many harts. */
export function isSavedProcessor(saved: object, harts: number): saved is SavedProcessor {
  return 'harts' in saved && Array.isArray(saved.harts) && saved.harts.length === harts && 'reservationStep' in saved;
}

const tableCount = translation.allBytes / translation.tableBytes;
/** A saved translation: its place (u32), unused (u32), tag (u64), physical page (u64). */
const savedEntryBytes = 24;

function bytesOf(state: HartState, from: number, to: number): Uint8Array {
  return state.memory.bytes.slice(state.base + from, state.base + to);
}

export function saveHart(state: HartState): SavedHart {
  return {
    x: bytesOf(state, hartCell.x, hartCell.discardedX),
    f: bytesOf(state, hartCell.f, hartCell.f + 32 * 8),
    cells: bytesOf(state, hartCell.stateBase, hartCell.stateEnd),
    translations: saveTranslations(state),
  };
}

/** Puts a saved hart back, with its fast translation entries empty. Throws Error where the data do not fit. */
export function restoreHart(state: HartState, saved: SavedHart): void {
  const put = (name: 'x' | 'f' | 'cells', from: number, to: number): void => {
    const bytes = saved[name];
    if (bytes.length !== to - from) {
      throw new Error(
        `"${name}" of saved hart ${state.index} has ${bytes.length} bytes; this version needs ${to - from}`,
      );
    }
    state.memory.bytes.set(bytes, state.base + from);
  };
  put('x', hartCell.x, hartCell.discardedX);
  put('f', hartCell.f, hartCell.f + 32 * 8);
  put('cells', hartCell.stateBase, hartCell.stateEnd);
  restoreTranslations(state, saved.translations);
}

function saveTranslations(state: HartState): Uint8Array {
  const { view } = state.memory;
  const places: number[] = [];
  const used = state.getWord('usedTranslations');
  for (let table = 0; table < tableCount; table++) {
    if ((used & (1 << table)) === 0) continue;
    for (let entry = 0; entry < translation.entries; entry++) {
      const place = table * translation.tableBytes + translation.exact + entry * translation.entryBytes;
      if (view.getBigInt64(state.base + hartCell.translations + place, true) !== -1n) places.push(place);
    }
  }
  const saved = new DataView(new ArrayBuffer(places.length * savedEntryBytes));
  places.forEach((place, index) => {
    const at = state.base + hartCell.translations + place;
    saved.setUint32(index * savedEntryBytes, place, true);
    saved.setBigUint64(index * savedEntryBytes + 8, view.getBigUint64(at + translation.tag, true), true);
    saved.setBigUint64(index * savedEntryBytes + 16, view.getBigUint64(at + translation.addend, true), true);
  });
  return new Uint8Array(saved.buffer);
}

function restoreTranslations(state: HartState, bytes: Uint8Array): void {
  const tables = state.base + hartCell.translations;
  state.memory.bytes.fill(0xff, tables, tables + translation.allBytes);
  const { view } = state.memory;
  const saved = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let used = 0n;
  for (let at = 0; at + savedEntryBytes <= saved.byteLength; at += savedEntryBytes) {
    const place = saved.getUint32(at, true);
    if (place >= translation.allBytes || place % translation.entryBytes !== 0) {
      throw new Error(`saved translation at ${place} lies outside the tables`);
    }
    view.setBigUint64(tables + place + translation.tag, saved.getBigUint64(at + 8, true), true);
    view.setBigUint64(tables + place + translation.addend, saved.getBigUint64(at + 16, true), true);
    used |= 1n << BigInt(Math.floor(place / translation.tableBytes));
  }
  state.set('usedTranslations', used);
  // Which entries these are is not logged, so the next flush takes whole tables.
  state.set('insertedTranslations', BigInt(hartCell.insertionLogEntries + 1));
}
