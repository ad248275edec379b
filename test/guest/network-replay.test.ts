// A run over the user network is determined by its recorded inputs: another machine that gets them at the same steps, and has no network,
// ends in the same state. Frames are handed over late, at steps drawn anew in each run, as the answers of this computer's sockets are.
import { test } from 'node:test';
import * as assert from 'node:assert/strict';
import { Machine } from '../../emulator/machine';
import { loadMachine } from '../../extension/worker/load-machine';
import { parseLaunchConfiguration } from '../../extension/worker/parse-launch';

const configuration = parseLaunchConfiguration(
  {
    bios: '/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin',
    program: '/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin',
    clock: 'warp',
    devices: [{ type: 'net', name: 'net0', backend: 'user' }],
    rules: { must: 'report' },
  },
  { resolvePath: (file) => file, mayWriteFiles: true },
);
const dialogue: readonly (readonly [RegExp, string])[] = [
  [/Hit any key to stop autoboot/, '\r'],
  [/=> $/, 'setenv autoload no; dhcp\r'],
  [/bound to address[\s\S]*=> $/, 'ping 10.0.2.2\r'],
];
const answered = /10\.0\.2\.2 is alive[\s\S]*=> $/;
const greatestSliceSteps = 1_000_000;
const greatestSteps = 3_000_000_000;

test('the recorded inputs alone bring about the same machine', () => {
  const files = loadMachine({ ...configuration, symbols: [] });
  let said = '';
  const machine: Machine = new Machine(files.machine, {
    output: (channel, bytes) => {
      if (!files.networks.output(channel, bytes, machine.clock.now())) said += Buffer.from(bytes).toString('latin1');
    },
  });
  machine.monitor.policy.replace('launch', [{ pattern: '*', action: 'report' }]);
  let next = 0;
  while (!answered.test(said) && machine.steps < greatestSteps) {
    for (const { channel, bytes } of files.networks.take()) machine.input(channel, bytes);
    machine.run({ untilStep: machine.steps + 1 + Math.floor(Math.random() * greatestSliceSteps), skipIdle: true });
    const [wanted, answer] = dialogue[next] ?? [answered, ''];
    if (next < dialogue.length && wanted.test(said)) {
      next++;
      machine.input('uart0', Buffer.from(answer));
    }
  }
  files.close();
  assert.match(said, answered, said.slice(-500));
  assert.ok(machine.inputs.all.some(({ change }) => change.kind === 'bytes' && change.channel === 'net0'));

  let repeated = '';
  const other: Machine = new Machine(files.machine, {
    output: (channel, bytes) => {
      if (channel === 'uart0') repeated += Buffer.from(bytes).toString('latin1');
    },
  });
  other.monitor.policy.replace('launch', [{ pattern: '*', action: 'report' }]);
  for (const { step, change } of machine.inputs.all) {
    while (other.steps < step) other.run({ untilStep: step, skipIdle: true });
    other.change(change);
  }
  while (other.steps < machine.steps) other.run({ untilStep: machine.steps, skipIdle: true });
  assert.equal(repeated, said);
  assert.equal(other.stateHash(), machine.stateHash());
});
