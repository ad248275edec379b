// The registers of an APLIC's interrupt domain as a table. [RISC-V AIA 1.0, 4.5, 4.8.1]
import { interruptSources } from '../memory-map';
import type { Register } from '../registers';
import type { Aplic } from './aplic';

/** domaincfg: eight bits that always read as 0x80, enable, and messages instead of direct delivery. */
export const configuration = { fixed: 0x8000_0000, enable: 0x100, messages: 0x4 } as const;
/** sourcecfg: delegation, or the source mode. */
export const mode = {
  ...{ delegate: 0x400, mask: 7 },
  ...{ inactive: 0, detached: 1, edgeRising: 4, edgeFalling: 5, levelHigh: 6, levelLow: 7 },
} as const;
/** target: the hart, and a priority by direct delivery or else the guest's file and the identity. */
export const target = {
  ...{ hartShift: 18, guestShift: 12, guestMask: 0x3f000 },
  ...{ identityMask: 0x7ff, priorityMask: 0xff },
} as const;
/** topi and claimi. */
export const delivery = { identityShift: 16 } as const;

const words = Math.ceil((interruptSources + 1) / 32);
const hartStride = 32;

/** A register of the root that says how addresses are made; once locked it keeps its value. [AIA 4.5.3] */
function addressRow(
  offset: number,
  name: string,
  which: keyof Aplic['messageAddresses'],
  mask: number,
): Register<Aplic> {
  return {
    ...{ offset, name },
    read: (aplic) => (aplic.isRoot ? aplic.messageAddresses[which] : 0),
    write: (aplic, value) => {
      const isLocked = aplic.messageAddresses.machineHigh >>> 31 === 1;
      if (aplic.isRoot && aplic.sendsMessages && !isLocked) aplic.messageAddresses[which] = (value & mask) >>> 0;
    },
  };
}

/** Bits of sources, and the register beside them that takes one source's number. */
function bitRows(
  offset: number,
  name: string,
  act: (aplic: Aplic, source: number) => void,
  read?: (aplic: Aplic, word: number) => number,
): readonly Register<Aplic>[] {
  return [
    {
      ...{ offset, name, count: words },
      ...(read !== undefined && { read }),
      write: (aplic, value, word) => aplic.forEachBit(word, value, (source) => act(aplic, source)),
    },
    { offset: offset + 0xdc, name: `${name}num`, write: (aplic, value) => act(aplic, value) },
  ];
}

function hartRow(
  offset: number,
  harts: number,
  name: string,
  field: 'delivery' | 'force' | 'threshold',
): Register<Aplic> {
  return {
    ...{ offset: 0x4000 + offset, name, count: harts, strideBytes: hartStride },
    read: (aplic, hart) => aplic.hartDelivery(hart, field),
    write: (aplic, value, hart) => aplic.setHartDelivery(hart, field, value),
  };
}

export function aplicRegisters(harts: number): readonly Register<Aplic>[] {
  return [
    {
      ...{ offset: 0, name: 'domaincfg' },
      read: (aplic) => aplic.domainConfiguration,
      write: (aplic, value) => void (aplic.domainConfiguration = value),
    },
    {
      ...{ offset: 4, name: 'sourcecfg', count: interruptSources },
      read: (aplic, index) => aplic.sourceConfiguration(index + 1),
      write: (aplic, value, index) => aplic.configureSource(index + 1, value),
    },
    addressRow(0x1bc0, 'mmsiaddrcfg', 'machine', 0xffff_ffff),
    addressRow(0x1bc4, 'mmsiaddrcfgh', 'machineHigh', 0x9f77_ffff),
    addressRow(0x1bc8, 'smsiaddrcfg', 'supervisor', 0xffff_ffff),
    addressRow(0x1bcc, 'smsiaddrcfgh', 'supervisorHigh', 0x0070_0fff),
    ...bitRows(
      0x1c00,
      'setip',
      (aplic, source) => aplic.setPending(source, true),
      (aplic, word) => aplic.pendingWord(word),
    ),
    ...bitRows(
      0x1d00,
      'in_clrip',
      (aplic, source) => aplic.setPending(source, false),
      (aplic, word) => aplic.inputWord(word),
    ),
    ...bitRows(
      0x1e00,
      'setie',
      (aplic, source) => aplic.setEnabled(source, true),
      (aplic, word) => aplic.enabledWord(word),
    ),
    ...bitRows(0x1f00, 'clrie', (aplic, source) => aplic.setEnabled(source, false)),
    { offset: 0x2000, name: 'setipnum_le', write: (aplic, value) => aplic.setPending(value, true) },
    { offset: 0x3000, name: 'genmsi', write: (aplic, value) => aplic.generateMessage(value) },
    {
      ...{ offset: 0x3004, name: 'target', count: interruptSources },
      read: (aplic, index) => aplic.target(index + 1),
      write: (aplic, value, index) => aplic.setTarget(index + 1, value),
    },
    hartRow(0x00, harts, 'idelivery', 'delivery'),
    hartRow(0x04, harts, 'iforce', 'force'),
    hartRow(0x08, harts, 'ithreshold', 'threshold'),
    {
      ...{ offset: 0x4018, name: 'topi', count: harts, strideBytes: hartStride },
      read: (aplic, hart) => aplic.top(hart),
    },
    {
      ...{ offset: 0x401c, name: 'claimi', count: harts, strideBytes: hartStride },
      read: (aplic, hart) => aplic.claim(hart),
      peek: (aplic, hart) => aplic.top(hart),
    },
  ];
}
