// Processor and board do what QEMU's do, as guests see it: equal transcripts. [RISC-V privileged and unprivileged]
import { test } from 'node:test';
import * as assert from 'node:assert/strict';
import { buildGuest } from './harness/compiler';
import { runOnQemu } from './harness/qemu';
import { runOnRingside } from './harness/ringside';
import { processorGuests, processorProgram } from './processor-guests';

for (const guest of processorGuests) {
  test(`${guest.name} prints what it prints on QEMU`, async () => {
    const run = { elf: buildGuest(processorProgram(guest)), ...(guest.input !== undefined && { input: guest.input }) };
    const { aia } = guest;
    const oracle = runOnQemu({ ...run, ...(aia !== undefined && { extra: ['-M', `virt,aia=${aia}`] }) });
    assert.equal(oracle.status, 0, 'the guest is sound on QEMU');
    const ours = await runOnRingside({ ...run, ...(aia !== undefined && { attributes: { aia } }) });
    assert.equal(ours.console, oracle.console);
    assert.equal(ours.status, oracle.status);
  });
}
