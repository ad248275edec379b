// The calls of SBI 0.1, each an extension of its own: results in a0 alone, hart masks by virtual address. [RISC-V SBI 2.0, 5]
import { refused, type SbiCall, type SbiExtension, type SbiResult, type SbiServices } from './call';
import { fenceHarts, interruptHarts, setTimer } from './harts';

const done: SbiResult = { error: 0n };
const failed: SbiResult = { error: refused('failed').error };
const everyHart = (1n << 64n) - 1n;

function legacy(id: number, name: string, serve: (services: SbiServices, call: SbiCall) => SbiResult): SbiExtension {
  // Callers of SBI 0.1 leave a6 undefined, so every function number means the same.
  return { id, name, find: () => ({ name, serve }) };
}

/** The mask that a0 points to; a null pointer means every hart. */
function maskAt(
  services: SbiServices,
  { hart, arguments: [pointer] }: SbiCall,
): readonly [mask: bigint, base: bigint] | undefined {
  if (pointer === 0n) return [0n, everyHart];
  const address = services.cpu.translate(hart, pointer);
  if (address === undefined || address % 8 !== 0 || !services.memory.contains(address, 8)) return undefined;
  return [services.memory.read64(address), 0n];
}

function onHarts(services: SbiServices, call: SbiCall, act: typeof interruptHarts): SbiResult {
  const mask = maskAt(services, call);
  return mask !== undefined && act(services, ...mask) ? done : failed;
}

export const legacyExtensions: readonly SbiExtension[] = [
  legacy(0, 'set_timer', (services, { hart, arguments: [time] }) => {
    setTimer(services, hart, time);
    return done;
  }),
  legacy(1, 'console_putchar', ({ context, console }, { arguments: [character] }) => {
    context.output(console.name, Uint8Array.of(Number(character & 0xffn)));
    return done;
  }),
  legacy(2, 'console_getchar', ({ console }) => ({ error: BigInt(console.takeInput() ?? -1) })),
  legacy(3, 'clear_ipi', ({ context }, { hart }) => {
    context.setInterrupt(hart, 'SSIP', false);
    return done;
  }),
  legacy(4, 'send_ipi', (services, call) => onHarts(services, call, interruptHarts)),
  // As for the RFENCE extension: decoded code needs no fence, page tables do.
  legacy(5, 'remote_fence_i', (services, call) => onHarts(services, call, () => true)),
  legacy(6, 'remote_sfence_vma', (services, call) => onHarts(services, call, fenceHarts)),
  legacy(7, 'remote_sfence_vma_asid', (services, call) => onHarts(services, call, fenceHarts)),
  legacy(8, 'shutdown', ({ context }) => {
    context.finish({ kind: 'power-off' });
    return done;
  }),
];
