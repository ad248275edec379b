// SBI extensions about the whole machine: base, system reset, debug console. [RISC-V SBI 2.0, 4, 10 and 12]
import { extension, refused, type SbiResult, type SbiServices, succeeded } from './call';

/** Version 2.0 of the specification: major in the upper bits. [SBI 4.1] */
const specificationVersion = (2n << 24n) | 0n;
/** Not among the registered ones, because this firmware exists only here. */
const implementationId = 0x5249_4e47n;
const implementationVersion = 1n;
const identityCsr = { mvendorid: 0xf11, marchid: 0xf12, mimpid: 0xf13 } as const;

const resetType = { shutdown: 0, coldReboot: 1, warmReboot: 2 } as const;
const resetReason = { none: 0, systemFailure: 1 } as const;
const lowWord = 0xffff_ffffn;

/** Bytes that one console call moves at most; callers repeat with the rest. */
const consoleChunkBytes = 65_536;

const identity =
  (number: number) =>
  ({ cpu }: SbiServices, { hart }: { readonly hart: number }): SbiResult =>
    succeeded(cpu.peekCsr(hart, number) ?? 0n);

export const baseExtension = extension(0x10, 'BASE', [
  [0, 'get_spec_version', () => succeeded(specificationVersion)],
  [1, 'get_impl_id', () => succeeded(implementationId)],
  [2, 'get_impl_version', () => succeeded(implementationVersion)],
  [3, 'probe_extension', (services, { arguments: [id] }) => succeeded(services.serves(id) ? 1n : 0n)],
  [4, 'get_mvendorid', identity(identityCsr.mvendorid)],
  [5, 'get_marchid', identity(identityCsr.marchid)],
  [6, 'get_mimpid', identity(identityCsr.mimpid)],
]);

export const resetExtension = extension(0x5352_5354, 'SRST', [
  [
    0,
    'system_reset',
    ({ context }, { arguments: [type, reason] }) => {
      const why = Number(reason & lowWord);
      if (why !== resetReason.none && why !== resetReason.systemFailure) return refused('invalidParameter');
      switch (Number(type & lowWord)) {
        case resetType.shutdown:
          context.finish(why === resetReason.none ? { kind: 'power-off' } : { kind: 'fail', code: 1 });
          return succeeded();
        case resetType.coldReboot:
        case resetType.warmReboot:
          context.finish({ kind: 'reset' });
          return succeeded();
        default:
          return refused('invalidParameter');
      }
    },
  ],
]);

/** The part of a caller's buffer that one call moves; undefined when it is not in RAM. */
function bufferOf(
  services: SbiServices,
  length: bigint,
  low: bigint,
  high: bigint,
): { readonly address: number; readonly length: number } | undefined {
  if (high !== 0n || low >= 1n << 53n || length >= 1n << 53n) return undefined;
  if (!services.memory.contains(Number(low), Number(length))) return undefined;
  return { address: Number(low), length: Math.min(Number(length), consoleChunkBytes) };
}

export const consoleExtension = extension(0x4442_434e, 'DBCN', [
  [
    0,
    'console_write',
    (services, { arguments: [length, low, high] }) => {
      const buffer = bufferOf(services, length, low, high);
      if (buffer === undefined) return refused('invalidParameter');
      services.context.output(services.console.name, services.memory.read(buffer.address, buffer.length));
      return succeeded(BigInt(buffer.length));
    },
  ],
  [
    1,
    'console_read',
    (services, { arguments: [length, low, high] }) => {
      const buffer = bufferOf(services, length, low, high);
      if (buffer === undefined) return refused('invalidParameter');
      const bytes: number[] = [];
      while (bytes.length < buffer.length) {
        const byte = services.console.takeInput();
        if (byte === undefined) break;
        bytes.push(byte);
      }
      services.memory.write(buffer.address, Uint8Array.from(bytes));
      return succeeded(BigInt(bytes.length));
    },
  ],
  [
    2,
    'console_write_byte',
    (services, { arguments: [byte] }) => {
      services.context.output(services.console.name, Uint8Array.of(Number(byte & 0xffn)));
      return succeeded();
    },
  ],
]);
