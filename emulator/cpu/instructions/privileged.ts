// Zicsr, Svinval and the privileged instructions. [RISC-V unpriv. 6; RISC-V priv. 3.3, 10.2 and 13]
import type { InstructionRow, MeaningFunction } from './format';

function row(name: string, encoding: string, text: string, meaning: MeaningFunction): InstructionRow {
  return { name, encoding, text, meaning };
}

export const privileged: readonly InstructionRow[] = [
  row('csrrw', 'csr rs1 001 rd 1110011', 'rd, csr, rs1', (m) => m.csr('write', m.x('rs1'))),
  row('csrrs', 'csr rs1 010 rd 1110011', 'rd, csr, rs1', (m) => m.csr('set', m.x('rs1'))),
  row('csrrc', 'csr rs1 011 rd 1110011', 'rd, csr, rs1', (m) => m.csr('clear', m.x('rs1'))),
  row('csrrwi', 'csr zimm 101 rd 1110011', 'rd, csr, zimm', (m) => m.csr('write', m.number('zimm'))),
  row('csrrsi', 'csr zimm 110 rd 1110011', 'rd, csr, zimm', (m) => m.csr('set', m.number('zimm'))),
  row('csrrci', 'csr zimm 111 rd 1110011', 'rd, csr, zimm', (m) => m.csr('clear', m.number('zimm'))),
  row('sret', '0001000 00010 00000 000 00000 1110011', '', (m) => m.returnFrom('S')),
  row('mret', '0011000 00010 00000 000 00000 1110011', '', (m) => m.returnFrom('M')),
  row('wfi', '0001000 00101 00000 000 00000 1110011', '', (m) => m.waitForInterrupt()),
  row('sfence.vma', '0001001 rs2 rs1 000 00000 1110011', 'rs1, rs2', (m) =>
    m.fenceTranslations(m.x('rs1'), m.x('rs2')),
  ),
  // An invalidation takes effect at once, so that the fences around it have nothing left to order.
  row('sinval.vma', '0001011 rs2 rs1 000 00000 1110011', 'rs1, rs2', (m) =>
    m.fenceTranslations(m.x('rs1'), m.x('rs2')),
  ),
  row('sfence.w.inval', '0001100 00000 00000 000 00000 1110011', '', (m) => m.orderInvalidations()),
  row('sfence.inval.ir', '0001100 00001 00000 000 00000 1110011', '', (m) => m.orderInvalidations()),
];
