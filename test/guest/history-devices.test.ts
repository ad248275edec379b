// The past of a machine whose devices are all in use: U-Boot over PCI, with an address by DHCP, pings on the user network, and blocks
// written to a file of the host. Any moment comes back with every ring as it was, and neither host file nor network notices.
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import { Machine } from '../../emulator/machine';
import { History } from '../../emulator/record/history';
import { loadMachine } from '../../extension/worker/load-machine';
import { parseLaunchConfiguration } from '../../extension/worker/parse-launch';
import { randomFrom } from '../unit/cpu/random';

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-history-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));
const image = path.join(scratch, 'disk.img');

const dialogue: readonly (readonly [RegExp, string])[] = [
  [/Hit any key to stop autoboot/, '\r'],
  [/=> $/, 'pci enum; virtio scan; setenv autoload no; dhcp\r'],
  [/bound to address[\s\S]*=> $/, 'mw.b 0x82000000 5a 2000; virtio write 0x82000000 4 8\r'],
  [/8 blocks written: OK[\s\S]*=> $/, 'ping 10.0.2.2\r'],
  [/is alive[\s\S]*=> $/, 'virtio read 0x83000000 0 10; crc32 0x83000000 2000\r'],
];
const answered = /crc32 for 83000000[^]*=> $/;
const greatestSteps = 1_000_000_000;

test('PCI devices with traffic on the network and blocks on the host: every moment comes back, the outside hears nothing twice', () => {
  const random = randomFrom(29);
  const original = Uint8Array.from({ length: 1 << 20 }, () => random.below(256));
  fs.writeFileSync(image, original);
  const configuration = parseLaunchConfiguration(
    {
      bios: '/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin',
      program: '/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin',
      clock: 'warp',
      devices: [
        { type: 'block', name: 'vda', image, mode: 'write', transport: 'pci' },
        { type: 'net', name: 'net0', backend: 'user', transport: 'pci' },
        { type: 'entropy', name: 'rng0', transport: 'pci' },
      ],
      rules: { must: 'report' },
    },
    { resolvePath: (file) => file, mayWriteFiles: true },
  );
  const files = loadMachine({ ...configuration, symbols: [] });
  let said = '';
  let frames = 0;
  const machine: Machine = new Machine(
    files.machine,
    {
      output: (channel, bytes) => {
        if (files.networks.output(channel, bytes, machine.clock.now())) frames++;
        else said += Buffer.from(bytes).toString('latin1');
      },
    },
    { revertible: true },
  );
  machine.monitor.policy.replace('launch', [{ pattern: '*', action: 'report' }]);
  const history = new History(machine, { budgetBytes: 256 << 20, intervalSteps: 2_000_000 });
  const picture = () => ({
    moment: machine.moment,
    hash: machine.stateHash(),
    events: machine.monitor.events.length,
    inputs: machine.inputs.applied,
  });
  const pictures: ReturnType<typeof picture>[] = [];
  let next = 0;
  while (!answered.test(said) && machine.steps < greatestSteps) {
    for (const { channel, bytes } of files.networks.take()) machine.input(channel, bytes);
    history.run({ untilStep: machine.steps + 1 + random.below(300_000), skipIdle: true });
    const [wanted, answer] = dialogue[next] ?? [answered, ''];
    if (next < dialogue.length && wanted.test(said)) {
      next++;
      machine.input('uart0', Buffer.from(answer));
      pictures.push(picture());
    } else if (next > 1 && machine.inputs.applied > (pictures.at(-1)?.inputs ?? 0)) {
      // Frames are under way.
      pictures.push(picture());
    }
  }
  assert.match(said, answered, said.slice(-500));
  assert.ok(frames > 3 && pictures.length > 5, `${frames} frames, ${pictures.length} pictures`);
  pictures.push(picture());
  const [saidOnce, framesOnce] = [said, frames];
  // U-Boot does not negotiate VIRTIO_BLK_F_FLUSH, so each write reaches the file before it is used.
  const written = original.slice().fill(0x5a, 4 * 512, 12 * 512);
  assert.ok(Buffer.compare(fs.readFileSync(image), written) === 0, 'the blocks are in the file');

  for (let round = 0; round < 12; round++) {
    const wanted = pictures[random.below(pictures.length)];
    assert.ok(wanted !== undefined);
    history.goTo(wanted.moment);
    assert.deepEqual(picture(), wanted);
    if (random.below(3) === 0) history.run({ untilStep: machine.steps + random.below(3_000_000), skipIdle: true });
  }
  const end = pictures.at(-1);
  assert.ok(end !== undefined);
  history.goTo(end.moment);
  assert.deepEqual(picture(), end);
  assert.equal(said, saidOnce, 'nothing is said twice');
  assert.equal(frames, framesOnce, 'no frame goes out twice');
  assert.ok(Buffer.compare(fs.readFileSync(image), written) === 0, 'the file is as the run left it');
  files.close();
});
