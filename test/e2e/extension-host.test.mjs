// The extension's own API tests (`exthost/`) inside a real extension host. `npm run test:exthost` runs the same in a desktop VS Code where
// there is one.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const runner = fileURLToPath(new URL('harness/extension-host.mjs', import.meta.url));

test('the extension works through the API of VS Code', { timeout: 240_000 }, (t) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [runner, '--host', 'code-server'], {
    encoding: 'utf8',
  });
  t.diagnostic(stdout);
  assert.equal(status, 0, `${stdout}${stderr}`);
  assert.match(stdout, /\b11 passed, 0 failed, 0 skipped/);
});
