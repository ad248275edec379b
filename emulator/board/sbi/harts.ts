// SBI extensions about harts: timer, inter-processor interrupts, remote fences, hart state. [RISC-V SBI 2.0, 6 to 9]
import type { Cpu } from '../../cpu/contract';
import { applyHartStart } from '../hart-start';
import { extension, hartsOf, refused, type SbiServices, succeeded } from './call';
import { supervisorStart } from './start';

const satp = 0x180;
const stimecmp = 0x14d;
/** States that HSM reports. [SBI 9] */
const hartStatus = { started: 0n, stopped: 1n } as const;
const retentiveSuspend = 0n;
const lowWord = 0xffff_ffffn;

/** Sends a supervisor software interrupt to each running hart; false when the mask names a missing one. */
export function interruptHarts(services: SbiServices, mask: bigint, base: bigint): boolean {
  const harts = hartsOf(services, mask, base);
  if (harts === undefined) return false;
  for (const hart of harts) {
    if (services.cpu.hartState(hart) !== 'stopped') services.context.setInterrupt(hart, 'SSIP', true);
  }
  return true;
}

/** Makes harts see changed page tables, whatever the range: a larger fence than asked for is allowed. */
export function fenceHarts(services: SbiServices, mask: bigint, base: bigint): boolean {
  const harts = hartsOf(services, mask, base);
  if (harts === undefined) return false;
  for (const hart of harts) dropTranslations(services.cpu, hart);
  return true;
}

/** A change of satp drops what the hart has cached of its page tables, so it is changed and changed back. */
function dropTranslations(cpu: Cpu, hart: number): void {
  const value = cpu.peekCsr(hart, satp);
  if (value === undefined) return;
  cpu.pokeCsr(hart, satp, 0n);
  cpu.pokeCsr(hart, satp, value);
}

const fence = (services: SbiServices, mask: bigint, base: bigint) =>
  fenceHarts(services, mask, base) ? succeeded() : refused('invalidParameter');

/** The guest may as well write stimecmp itself: it is one comparator, and both show in it. */
export function setTimer({ cpu, timer }: SbiServices, hart: number, time: bigint): void {
  cpu.pokeCsr(hart, stimecmp, time);
  timer.set(hart, time);
}

export const timerExtension = extension(0x5449_4d45, 'TIME', [
  [
    0,
    'set_timer',
    (services, { hart, arguments: [time] }) => {
      setTimer(services, hart, time);
      return succeeded();
    },
  ],
]);

export const interruptExtension = extension(0x73_5049, 'IPI', [
  [
    0,
    'send_ipi',
    (services, { arguments: [mask, base] }) =>
      interruptHarts(services, mask, base) ? succeeded() : refused('invalidParameter'),
  ],
]);

export const fenceExtension = extension(0x5246_4e43, 'RFENCE', [
  // Decoded code follows every store to it by itself, so that FENCE.I has nothing left to do.
  [
    0,
    'remote_fence_i',
    (services, { arguments: [mask, base] }) =>
      hartsOf(services, mask, base) === undefined ? refused('invalidParameter') : succeeded(),
  ],
  [1, 'remote_sfence_vma', (services, { arguments: [mask, base] }) => fence(services, mask, base)],
  [2, 'remote_sfence_vma_asid', (services, { arguments: [mask, base] }) => fence(services, mask, base)],
]);

export const hartStateExtension = extension(0x48_534d, 'HSM', [
  [
    0,
    'hart_start',
    ({ cpu, memory, context }, { arguments: [target, address, opaque] }) => {
      if (target >= BigInt(context.harts)) return refused('invalidParameter');
      const hart = Number(target);
      if (cpu.hartState(hart) !== 'stopped') return refused('alreadyAvailable');
      if (address % 2n !== 0n || address >= 1n << 53n || !memory.contains(Number(address), 2)) {
        return refused('invalidAddress');
      }
      applyHartStart(cpu, supervisorStart(hart, address, opaque));
      return succeeded();
    },
  ],
  [
    1,
    'hart_stop',
    ({ cpu }, { hart }) => {
      cpu.stopHart(hart);
      return succeeded();
    },
  ],
  [
    2,
    'hart_get_status',
    ({ cpu, context }, { arguments: [target] }) => {
      if (target >= BigInt(context.harts)) return refused('invalidParameter');
      return succeeded(cpu.hartState(Number(target)) === 'stopped' ? hartStatus.stopped : hartStatus.started);
    },
  ],
  [
    3,
    'hart_suspend',
    // A retentive suspend may end at any time by a platform's own event: here at once. No other kind exists on this board.
    (_services, { arguments: [kind] }) =>
      (kind & lowWord) === retentiveSuspend ? succeeded() : refused('notSupported'),
  ],
]);
