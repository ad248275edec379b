// Zicbom and Zicboz: management of cache blocks. Zicbop's prefetches are hints, written as `ori` to x0. [RISC-V unpriv. 19, version 1.0.1]
import type { InstructionRow } from './format';
import type { CacheBlockOperation } from './meaning';

function row(name: string, funct12: string, operation: CacheBlockOperation): InstructionRow {
  return {
    name,
    encoding: `${funct12} rs1 010 00000 0001111`,
    text: '(rs1)',
    meaning: (m) => m.cacheBlock(operation, m.x('rs1')),
  };
}

export const cacheBlocks: readonly InstructionRow[] = [
  row('cbo.inval', '000000000000', 'invalidate'),
  row('cbo.clean', '000000000001', 'clean'),
  row('cbo.flush', '000000000010', 'flush'),
  row('cbo.zero', '000000000100', 'zero'),
];
