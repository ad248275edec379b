// Linux 6.1 over each transport and ring, a few rows of the campaign's tables: its checks pass, and no rule says a word.
import { test } from 'node:test';
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { loadSymbols } from '../../../extension/symbols';
import { bootLinux, shortcomings } from './boot';
import { boots, everyChange, networkBoots } from './boots';
import { linuxGuest } from './guest';
import { bootOnNetwork } from './network';

const guest = linuxGuest();
const symbols = loadSymbols(new Uint8Array(fs.readFileSync(guest.vmlinux)), { name: 'vmlinux' });

for (const name of everyChange) {
  test(name, async () => {
    const boot = boots.find((each) => each.name === name);
    const onNetwork = networkBoots.find((each) => each.name === name);
    if (boot !== undefined) {
      const result = bootLinux(guest, boot, [symbols]);
      assert.deepEqual(shortcomings(boot, result), [], result.console.slice(-2000));
    } else {
      assert.ok(onNetwork !== undefined, 'the tables have a row of this name');
      const { shortcomings: found, console } = await bootOnNetwork(guest, onNetwork);
      assert.deepEqual(found, [], console.slice(-2000));
    }
  });
}
