// Twins for VIRTIO_F_SUSPEND. [virtio 1.4, 3.4.1]
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { blockFeature } from '../../../../emulator/virtio/spec/block';
import { status } from '../../../../emulator/virtio/spec/status';
import { blockDevice } from '../../../driver/bench';
import { blockParts, piecesOf, readSector } from '../../../driver/block';
import type { ScriptedDriver } from '../../../driver/driver';
import { PciDriver } from '../../../driver/pci-driver';
import { at, type Twin } from './twin';

const driver = {
  features: featureSet(feature.VERSION_1, feature.SUSPEND, blockFeature.CONFIG_WCE, blockFeature.FLUSH),
};
const featuresOn = featureSet(feature.SUSPEND);
const writeback = 32;

/** The same on mmio and on PCI. */
function twins(rule: string, script: (d: ScriptedDriver, wrong: boolean) => bigint | undefined): readonly Twin[] {
  return [
    { rule, driver, bench: () => ({ devices: [blockDevice({ featuresOn })] }), script },
    {
      rule,
      bench: () => ({ devices: [blockDevice({ featuresOn, transport: 'pci' })] }),
      script: (_, wrong, bench) => script(new PciDriver(bench, driver), wrong),
    },
  ];
}

export const suspendTwins: readonly Twin[] = [
  ...twins('suspend.not-verified', (d, wrong) => {
    d.start();
    const pc = at(d, () => d.askSuspend());
    d.bench.run(100_000);
    if (!wrong) d.awaitStatus(status.SUSPEND);
    d.resume();
    readSector(d);
    return pc;
  }),
  ...twins('suspend.not-verified', (d, wrong) => {
    d.start();
    const pc = at(d, () => (wrong ? d.askSuspend() : d.suspend()));
    d.bench.run(200_000_000);
    d.bench.idle();
    return pc;
  }),
  ...twins('suspend.buffers-published', (d, wrong) => {
    d.start();
    const queue = d.queue();
    const head = d.addChain(queue, piecesOf(blockParts(d, 0)));
    d.suspend();
    if (!wrong) d.resume();
    d.storeSlot(queue, head);
    d.publish(queue, head);
    const pc = d.bench.nextPc - 4n;
    if (wrong) return pc;
    d.notifyIfWanted(queue);
    d.waitUsed(queue);
    return undefined;
  }),
  ...twins('suspend.notified', (d, wrong) => {
    d.start();
    const queue = d.queue();
    d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0))));
    if (!wrong) d.notify(queue);
    d.suspend();
    const pc = wrong ? at(d, () => d.notify(queue)) : undefined;
    d.resume();
    d.waitUsed(queue);
    return pc;
  }),
  ...twins('suspend.config-written', (d, wrong) => {
    d.start();
    if (!wrong) d.writeConfig(writeback, 1, 0);
    d.suspend();
    const pc = wrong ? at(d, () => d.writeConfig(writeback, 1, 0)) : undefined;
    d.resume();
    return pc;
  }),
  ...twins('suspend.resumed-too-early', (d, wrong) => {
    d.start();
    d.suspend();
    d.askResume();
    if (!wrong) d.awaitStatus(status.DRIVER_OK);
    const queue = d.queue();
    d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0))));
    const pc = at(d, () => d.notify(queue));
    d.waitUsed(queue);
    d.read('Status');
    return pc;
  }),
];
