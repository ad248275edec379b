// Puts the processor's WebAssembly module together: imports, system code, floating point, interpreter.
import { defineFunction, op } from '../wasm/code';
import { ModuleWriter } from '../wasm/module';
import { declareChain } from './compiler/chain';
import { regionParameters, regionResults, regionTableSize } from './compiler/frame';
import { declareReach, declareSecondHalf } from './compiler/reach';
import { declareFloatFunctions } from './float';
import { declareExecute } from './interpreter/execute';
import type { MemoryLayout } from './layout';
import { declareAccesses, declareInvalidateCode } from './system/access';
import type { SystemContext } from './system/context';
import { declareCsrAccess } from './system/direct';
import { declareFence } from './system/fence';
import { declareFetch } from './system/fetch';
import { declareImports, importModule } from './system/imports';
import { declareProtection } from './system/protection';
import { declareTranslation } from './system/translate';
import { declareTraps } from './system/trap';

export const wasmPageBytes = 0x10000;
/** Import name of the table that holds compiled regions. */
export const regionTable = 'regions';

/** Restarted machines and those of equal size share one module, and with it the host's machine code. The oldest is forgotten first. */
const kept = new Map<string, WebAssembly.Module>();
const keptModules = 8;

/** The module for one memory layout. */
export function processorModule(layout: MemoryLayout, shared: boolean, compiler: boolean): WebAssembly.Module {
  const key = JSON.stringify([layout, shared, compiler]);
  const module = kept.get(key) ?? new WebAssembly.Module(buildModule(layout, shared, compiler));
  kept.delete(key);
  kept.set(key, module);
  for (const oldest of kept.keys()) {
    if (kept.size <= keptModules) break;
    kept.delete(oldest);
  }
  return module;
}

function buildModule(layout: MemoryLayout, shared: boolean, compiler: boolean): Uint8Array {
  const module = new ModuleWriter();
  const pages = layout.totalBytes / wasmPageBytes;
  module.importMemory(importModule, 'memory', pages, pages, shared);
  if (compiler) module.importTable(importModule, regionTable, regionTableSize);
  const imports = declareImports(module);
  const context: SystemContext = { module, layout, imports };
  const protect = declareProtection(context);
  const invalidateCode = declareInvalidateCode(context);
  const translation = declareTranslation(context, protect, invalidateCode);
  const traps = declareTraps(context, translation.flush);
  const access = declareAccesses(context, translation.translate, traps.raise, invalidateCode);
  const fetch = declareFetch(context, translation.translate, traps.raise);
  const csr = declareCsrAccess(context, traps.statusChanged, translation.flush);
  const fence = declareFence(context);
  const multiplyHigh = declareMultiplyHigh(module);
  const float = declareFloatFunctions(module);
  const region = compiler ? module.signature(regionParameters, regionResults) : undefined;
  if (region !== undefined) {
    declareChain(context, region);
    declareReach(context, translation.translate, access.enableFast);
    declareSecondHalf(context, translation.translate);
    for (const [name, index] of Object.entries({ csrAccess: csr, fence, multiplyHigh, ...float }))
      module.exportFunction(index, name);
  }
  declareExecute(module, { imports, translation, traps, access, fetch, csr, fence, multiplyHigh, float, region });
  return module.finish();
}

/** (a, b) -> the upper 64 bits of the unsigned 128-bit product, from four 32-bit products. */
function declareMultiplyHigh(module: ModuleWriter): number {
  return defineFunction(module, ['i64', 'i64'], ['i64'], (c, a, b) => {
    const low = (value: Parameters<typeof op>[1]) => op('i64.and', value, 0xffff_ffffn);
    const high = (value: Parameters<typeof op>[1]) => op('i64.shr_u', value, 32n);
    const middle = c.keep(op('i64.add', op('i64.mul', high(a), low(b)), high(op('i64.mul', low(a), low(b)))));
    const other = c.keep(op('i64.add', op('i64.mul', low(a), high(b)), low(middle)));
    c.result(op('i64.add', op('i64.add', op('i64.mul', high(a), high(b)), high(middle)), high(other)));
  });
}
