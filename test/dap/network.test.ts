// A debugging session with the user network: frames go through the session as they do on the command line, and a restart starts the
// network anew.
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import { describeFrame } from '../../emulator/network/describe';
import { readCapture } from '../../extension/backends/capture';
import { parseLaunchConfiguration } from '../../extension/worker/parse-launch';
import { Session } from '../../extension/worker/session';

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-session-net-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));
const capture = path.join(scratch, 'a.pcapng');
const configuration = parseLaunchConfiguration(
  {
    bios: '/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin',
    program: '/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin',
    clock: 'warp',
    devices: [{ type: 'net', backend: 'user', capture }],
    rules: { must: 'report' },
  },
  { resolvePath: (file) => file, mayWriteFiles: true },
);

/** Says each line when the guest has said what comes before it; resolves with everything it said. */
function converse(session: Session, dialogue: readonly (readonly [RegExp, string])[], last: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let all = '';
    let heard = '';
    let next = 0;
    session.onEvent((event) => {
      if (event.kind === 'crashed') reject(new Error(event.text));
      if (event.kind !== 'console') return;
      const text = Buffer.from(event.bytes).toString('latin1');
      all += text;
      heard += text;
      const [wanted, answer] = dialogue[next] ?? [last, undefined];
      if (!wanted.test(heard)) return;
      heard = '';
      next++;
      if (answer === undefined) resolve(all);
      else void session.consoleInput('uart0', Buffer.from(answer));
    });
  });
}

test('U-Boot gets an address and pings inside a session, twice', async () => {
  const session = new Session();
  await session.launch(configuration);
  for (const turn of ['launch', 'restart']) {
    if (turn === 'restart') await session.restart();
    const said = converse(
      session,
      [
        [/Hit any key to stop autoboot/, '\r'],
        [/=> $/, 'setenv autoload no\r'],
        [/=> $/, 'dhcp\r'],
        [/DHCP client bound to address 10\.0\.2\.15[\s\S]*=> $/, 'ping 10.0.2.2\r'],
      ],
      /host 10\.0\.2\.2 is alive/,
    );
    await session.resume();
    assert.match(await said, /is alive/);
    await session.pause();
    const texts = readCapture(capture).map(({ bytes }) => describeFrame(bytes));
    assert.ok(texts.includes('ICMP echo reply 10.0.2.2 → 10.0.2.15'), texts.join('\n'));
  }
  await session.terminate();
});
