// QEMU as the oracle: what the same guest prints and how it ends there.
import { spawnSync } from 'node:child_process';

const qemu = 'qemu-system-riscv64';
/** Only ends a hung guest; no result depends on it. */
const hangMilliseconds = 120_000;

export interface QemuRun {
  readonly elf: string;
  /** Block image; what the guest writes is forgotten. */
  readonly disk?: string;
  /** Firmware file; none by default. */
  readonly bios?: string;
  readonly harts?: number;
  /** Bytes for the guest's serial port. */
  readonly input?: string;
  readonly extra?: readonly string[];
}
export interface GuestResult {
  readonly console: string;
  /** 0 when the guest ended well, otherwise its failure code. */
  readonly status: number;
}

/** Runs a guest to its end. Throws when QEMU is missing or the guest does not end. */
export function runOnQemu(run: QemuRun): GuestResult {
  const disk = run.disk === undefined ? [] : [
    '-drive', `file=${run.disk},if=none,format=raw,snapshot=on,id=disk`,
    '-device', 'virtio-blk-device,drive=disk,serial=vda',
  ]; // prettier-ignore
  const words = [
    '-M', 'virt', '-m', '128', '-smp', String(run.harts ?? 1), '-global', 'virtio-mmio.force-legacy=false',
    '-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-no-reboot',
    '-bios', run.bios ?? 'none', '-kernel', run.elf, ...disk, ...(run.extra ?? []),
  ]; // prettier-ignore
  const result = spawnSync(qemu, words, {
    input: run.input ?? '',
    encoding: 'latin1',
    timeout: hangMilliseconds,
    maxBuffer: 1 << 26,
  });
  if (result.error !== undefined)
    throw new Error(`${qemu} did not run ${run.elf} to its end: ${result.error.message}. On Debian: apt install qemu-system-misc; console so far: ${result.stdout}`); // prettier-ignore
  if (result.status === null) throw new Error(`${qemu} was ended by ${result.signal ?? 'a signal'}: ${result.stderr}`);
  return { console: result.stdout, status: result.status };
}
