// Linux on Ringside: every transport and ring, both firmwares, one and four harts, from an initramfs and from a disk, on the network and under
// load; clean of violations; equal runs end in equal states; and its boot time beside QEMU's. `npm run campaign:linux [-- NAME]`: only the boots whose name contains NAME.
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { loadSymbols } from '../../../extension/symbols';
import { repository } from '../harness/compiler';
import { type Boot, bootLinux, commandLine, shortcomings } from './boot';
import { debianKernelGuest, linuxGuest } from './guest';
import { boots, firmware, interruptBoots, networkBoots } from './boots';
import { bootOnNetwork } from './network';

/** Where the kernel's first byte is linked to run, and where it is loaded: what runs before paging is seen at the second place. */
const linkedAt = 0xffff_ffff_8000_0000n;
const loadedAt = 0x8020_0000n;
const timedRuns = 3;

const quick: Boot = { name: 'quick', bios: firmware, harts: 1, root: 'initramfs', words: 'quiet quick' };

const guest = linuxGuest();
const image = loadSymbols(new Uint8Array(fs.readFileSync(guest.vmlinux)), { name: 'vmlinux' });
const symbols = [image, image.rebased(loadedAt - linkedAt)];
const chosen = boots.filter(({ name }) => name.includes(process.argv[2] ?? ''));
let failed = 0;
const chosenInterrupts = interruptBoots.filter(({ name }) => name.includes(process.argv[2] ?? ''));
const debian = chosenInterrupts.length > 0 ? debianKernelGuest() : undefined;
for (const boot of [...chosen, ...chosenInterrupts]) {
  const result =
    boot.aia === undefined || debian === undefined ? bootLinux(guest, boot, symbols) : bootLinux(debian, boot);
  const wrong = shortcomings(boot, result);
  if (wrong.length > 0) failed++;
  const numbers = `${result.steps} steps, ${result.events} events, ${result.seconds.toFixed(1)} s`;
  say(`${wrong.length === 0 ? 'ok    ' : 'FAILED'} ${boot.name}: ${numbers}`);
  for (const each of wrong) say(`       ${each}`);
  if (wrong.some((each) => each.startsWith('the console'))) say(result.console.slice(-3000));
}

if (process.argv[2] === undefined) {
  for (const harts of [1, 4]) {
    const runs = (['on', 'on', 'off'] as const).map((compiler) => bootLinux(guest, { ...quick, harts, compiler }));
    const ends = new Set(
      runs.map(({ steps, stateHash, ending }) => `${ending ?? 'no end'} after ${steps} steps in ${stateHash}`),
    );
    const equal = ends.size === 1 && runs[0]?.ending === 'power-off';
    if (!equal) failed++;
    say(
      `${equal ? 'ok    ' : 'FAILED'} two boots compiled and one interpreted, harts ${harts}: ${[...ends].join('; ')}`,
    );
  }

  const [ours, theirs] = [timed(ringside), timed(qemu)];
  say(
    `boot to the shell and power-off, process start included: ${ours.toFixed(2)} s, QEMU ${theirs.toFixed(2)} s, ratio ${(ours / theirs).toFixed(2)}`,
  );
}
void onNetwork().then(() => {
  say(failed === 0 ? 'Linux boots' : `${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
});

async function onNetwork(): Promise<void> {
  for (const boot of networkBoots) {
    const { name } = boot;
    if (!name.includes(process.argv[2] ?? '')) continue;
    const result = await bootOnNetwork(guest, boot);
    if (result.shortcomings.length > 0) failed++;
    const verdict = result.shortcomings.length === 0 ? 'ok    ' : 'FAILED';
    say(`${verdict} ${name}: ${result.steps} steps, ${result.seconds.toFixed(1)} s`);
    for (const each of result.shortcomings) say(`       ${each}`);
    if (result.shortcomings.some((each) => each.startsWith('the console'))) say(result.console.slice(-3000));
  }
}

/** Seconds of the median run. */
function timed(run: () => void): number {
  const seconds = Array.from({ length: timedRuns }, () => {
    const began = performance.now();
    run();
    return (performance.now() - began) / 1000;
  }).sort((a, b) => a - b);
  return seconds[timedRuns >> 1] ?? Number.NaN;
}

function ringside(): void {
  const words = [
    'run',
    '--bios',
    firmware,
    '--kernel',
    guest.image,
    '--initrd',
    guest.initrd,
    '--append',
    commandLine(quick),
  ];
  const devices = [
    '--memory',
    '256M',
    '--device',
    `block,image=${guest.disk}`,
    '--device',
    'console',
    '--device',
    'entropy',
  ];
  succeed(process.execPath, [path.join(repository, 'dist/cli.js'), ...words, ...devices]);
}

function qemu(): void {
  const plain = 'rv64,h=false,sstc=false,zba=false,zbb=false,zbc=false,zbs=false';
  const board = [
    '-M',
    'virt',
    '-cpu',
    plain,
    '-m',
    '256',
    '-global',
    'virtio-mmio.force-legacy=false',
    '-bios',
    firmware,
  ];
  const load = ['-kernel', guest.image, '-initrd', guest.initrd, '-append', commandLine(quick)];
  const disk = [
    '-drive',
    `file=${guest.disk},if=none,format=raw,snapshot=on,id=disk`,
    '-device',
    'virtio-blk-device,drive=disk',
  ];
  const others = [
    '-device',
    'virtio-serial-device',
    '-device',
    'virtconsole,chardev=none',
    '-chardev',
    'null,id=none',
    '-device',
    'virtio-rng-device',
  ];
  succeed('qemu-system-riscv64', [
    ...board,
    ...load,
    ...disk,
    ...others,
    '-display',
    'none',
    '-monitor',
    'none',
    '-serial',
    'stdio',
    '-no-reboot',
  ]);
}

function succeed(program: string, words: readonly string[]): void {
  const result = spawnSync(program, words, { encoding: 'latin1', cwd: os.tmpdir(), maxBuffer: 1 << 26 });
  if (result.status !== 0 || !result.stdout.includes('GUEST-OK quick'))
    throw new Error(
      `${program} ended with ${result.status ?? result.signal ?? 'nothing'}: ${result.stderr}${result.stdout.slice(-2000)}`,
    );
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
