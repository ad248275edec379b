// What the processor implements, once: misa, the device tree and the documentation are derived from this list.
// [RISC-V unpriv. 39, naming conventions; RISC-V priv. 3.1.1]

/** Single-letter extensions behind RV64, in canonical order. */
export const baseExtensions = ['i', 'm', 'a', 'f', 'd', 'c'] as const;

/** Modes below M-mode, which misa shows as letters and the instruction set string does not. */
export const lowerModes = ['s', 'u'] as const;

/** Extensions with longer names, in canonical order: by the category their second letter names, the supervisor's last. */
export const namedExtensions = [
  'zicbom',
  'zicbop',
  'zicboz',
  'zicntr',
  'zicond',
  'zicsr',
  'zifencei',
  'zihintpause',
  'zihpm',
  'zfa',
  'zba',
  'zbb',
  'zbc',
  'zbs',
  'sstc',
  'svinval',
  'svnapot',
  'svpbmt',
] as const;

/** With interrupt files on the board. */
const advancedInterruptExtensions = ['smaia', 'ssaia'] as const;

/** The instruction set string of the device tree binding. */
export function instructionSet(interruptFiles: boolean): string {
  const named = [...namedExtensions];
  const supervisors = named.findIndex((name) => name === 'sstc');
  const more = interruptFiles ? advancedInterruptExtensions : [];
  return [`rv64${baseExtensions.join('')}`, ...named.slice(0, supervisors), ...more, ...named.slice(supervisors)].join(
    '_',
  );
}

/** The largest translation scheme, in the binding's words; smaller ones are there as well. */
export const largestTranslation = 'riscv,sv57';

/** Bytes of a cache block, which `cbo` instructions act on. */
export const cacheBlockBytes = 64;
