// Registers bear the names of the transport that the guest uses. [virtio 1.4, 4.1.4.3, 4.2.2]
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { mmioRegisters } from '../../../../emulator/virtio/transport/mmio-registers';
import { pciCommonRegisters } from '../../../../emulator/virtio/transport/pci-registers';
import { inWordsOf, pciNamesIn } from '../../../../emulator/virtio/transport/register-names';
import { catalogue } from '../../../../emulator/virtio/rules';
import { Bench, blockDevice } from '../../../driver/bench';
import { PciDriver } from '../../../driver/pci-driver';
import { ScriptedDriver } from '../../../driver/driver';

it('translates names that both tables have', () => {
  const all = mmioRegisters.map(({ name }) => name).join(' ');
  const fields = new Set([...pciCommonRegisters.map(({ name }) => name), 'Queue Notify', 'ISR status']);
  const pairs = pciNamesIn(all);
  assert.ok(pairs.length >= 18);
  for (const [, pci] of pairs) assert.ok(fields.has(pci), pci);
});

it('leaves texts alone that mean something else', () => {
  for (const text of ['ISR status', 'Interrupt Status', 'Device Status', 'StatusBits', 'QueueReadyMade'])
    assert.equal(inWordsOf('pci', false, text), text);
  assert.equal(inWordsOf('mmio', false, 'QueueReady is 0'), 'QueueReady is 0');
  assert.equal(inWordsOf('pci', false, 'QueueReady is 0'), 'queue_enable is 0');
  assert.equal(inWordsOf('pci-transitional', false, 'Write Status.'), 'Write device_status.');
  assert.equal(inWordsOf('pci-transitional', true, 'Write Status.'), 'Write Device Status.');
});

it('makes a finding speak of the register that was written', () => {
  const features = featureSet(feature.VERSION_1);
  const messages = [
    new PciDriver(new Bench({ devices: [blockDevice({ transport: 'pci' })] }), { features, queues: [] }),
    new ScriptedDriver(new Bench({ devices: [blockDevice()] }), { features, queues: [] }),
  ].map((driver) => {
    driver.start();
    driver.notify({ ...driver.placeQueue(0) });
    return driver.bench.monitor.violations.find(({ rule }) => rule === 'notify.queue-not-ready')?.message;
  });
  assert.match(messages[0] ?? '', /its queue_enable is 0/);
  assert.match(messages[1] ?? '', /its QueueReady is 0/);
});

it('finds no name of virtio-mmio in the texts of a rule for PCI alone', () => {
  for (const { id, needs, title, why, fix } of catalogue)
    if (needs.transport === 'pci') assert.deepEqual(pciNamesIn(title, why, fix), [], id);
});
