// What generated code needs from TypeScript: rare or device work. All of it is imported from the module `environment`.
import type { ModuleWriter } from '../../wasm/module';
import type { ValueType } from '../../wasm/opcodes';

const signatures = {
  /** (record): decodes the instruction of a record in a slot. */
  decodeRecord: [['i32'], []],
  /** (word, record): decodes a loose instruction. */
  decodeWord: [['i32', 'i32'], []],
  /** (page of RAM) -> slot address. */
  allocateSlot: [['i32'], ['i32']],
  /** (physical address) -> halfword, or -1 where nothing can be fetched. */
  fetchOutside: [['f64'], ['i32']],
  /** (hart, slot, record, page): the page's code is worth compiling; the record is where it was entered, `page` its virtual address. */
  compileHot: [['i32', 'i32', 'i32', 'i64'], []],
  /** (slot): an instruction of the page's compiled region is about to change. */
  dropRegion: [['i32'], []],
  /** (hart) -> 1 where its pc is a breakpoint to stop at. */
  breakpoint: [['i32'], ['i32']],
  /** (hart, bytes) -> 0 done, 1 fault, 2 stop; addresses in the hart's cells, the value in `scratch`. */
  deviceLoad: [['i32', 'i32'], ['i32']],
  deviceStore: [['i32', 'i32'], ['i32']],
  /** (hart, bytes, kind, order) -> 0 or 2; kind is 0 load, 1 store, 2 atomic that loads, 3 successful SC; order is aq + rl * 256. */
  watchedBefore: [['i32', 'i32', 'i32', 'i32'], ['i32']],
  /** (hart): the accesses announced since the instruction began took effect. */
  watchedAfter: [['i32'], []],
  /** (hart, number, change + 4 * reads + 8 * writes) -> 0 done, 1 illegal, 2 done and the hart must look around. */
  csr: [['i32', 'i32', 'i32'], ['i32']],
  /** (hart, pending interrupts, 1 for those of S-mode) -> the number of the one to take first, by configured priorities */
  preferredInterrupt: [['i32', 'i64', 'i32'], ['i64']],
  /** () -> the `time` CSR */
  time: [[], ['i64']],
  /** (hart) -> 1 where the environment served the call. */
  environmentCall: [['i32'], ['i32']],
  /** (hart, cause, 1 for an interrupt, mode it came from) */
  trapTaken: [['i32', 'i32', 'i32', 'i32'], []],
} as const satisfies Record<string, readonly [readonly ValueType[], readonly ValueType[]]>;

export type ImportName = keyof typeof signatures;
export type ImportedFunctions = Readonly<Record<ImportName, number>>;

export const importModule = 'environment';

export function declareImports(module: ModuleWriter): ImportedFunctions {
  const declared: Partial<Record<ImportName, number>> = {};
  const declare = (name: ImportName): number =>
    (declared[name] = module.importFunction(importModule, name, signatures[name][0], signatures[name][1]));
  return {
    decodeRecord: declare('decodeRecord'),
    decodeWord: declare('decodeWord'),
    allocateSlot: declare('allocateSlot'),
    fetchOutside: declare('fetchOutside'),
    compileHot: declare('compileHot'),
    dropRegion: declare('dropRegion'),
    breakpoint: declare('breakpoint'),
    deviceLoad: declare('deviceLoad'),
    deviceStore: declare('deviceStore'),
    watchedBefore: declare('watchedBefore'),
    watchedAfter: declare('watchedAfter'),
    csr: declare('csr'),
    preferredInterrupt: declare('preferredInterrupt'),
    time: declare('time'),
    environmentCall: declare('environmentCall'),
    trapTaken: declare('trapTaken'),
  };
}
