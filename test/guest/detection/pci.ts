// Bugs of drivers of virtio-pci, modern and legacy: field widths, queue set-up, bus mastering, vectors and the interrupt wire.
// [virtio 1.4, 4.1]
import type { PciOptions } from '../../../emulator/configuration';
import { cfgType } from '../../../emulator/virtio/transport/pci-layout';
import { blockDevice, consoleDevice } from '../../driver/bench';
import { blockParts, piecesOf, readSector } from '../../driver/block';
import { LegacyPciDriver } from '../../driver/legacy-pci-driver';
import { PciDriver } from '../../driver/pci-driver';
import { negotiate } from '../../unit/rules/twins/twin';
import type { Detection } from './detection';

function modern(
  bug: string,
  does: string,
  rule: string,
  script: (d: PciDriver, wrong: boolean) => void,
  pci: PciOptions = {},
): Detection {
  return {
    bug,
    does,
    rule,
    bench: () => ({ devices: [blockDevice({ transport: 'pci', pci })] }),
    script: (_, wrong, bench) => {
      script(new PciDriver(bench), wrong);
      return undefined;
    },
  };
}

const commandBits = { ioSpace: 1, memorySpace: 2, busMaster: 4 } as const;
const pciStatus = 6;

export const pciDetections: readonly Detection[] = [
  modern('VB-025', 'stops a queue by writing 0 to queue_enable', 'pci.queue-enable-value', (d, wrong) => {
    d.start();
    readSector(d);
    d.selectQueue(0);
    if (wrong) d.write('QueueReady', 0);
    else d.reset();
  }),
  modern('VB-134', 'stores its notification into a variable in RAM', 'notify.missing', (d, wrong) => {
    d.start();
    const queue = d.queue();
    d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0))));
    if (wrong) d.bench.store(d.buffer(0x800), 2, queue.index);
    else d.notify(queue);
    d.bench.idle();
  }),
  {
    bug: 'VB-137',
    does: 'never loads queue_notify_off and takes the queue index for it',
    rule: 'pci.notify-value',
    bench: () => ({ devices: [consoleDevice({ transport: 'pci', pci: { queueNotifyOff: [1, 0] } })] }),
    script: (_, wrong, bench) => {
      const d = new PciDriver(bench, { queues: [0, 1] });
      d.start();
      if (wrong) for (const index of [0, 1]) d.notifyOff.set(index, index);
      const queue = d.queue(1);
      d.publish(queue, d.addChain(queue, [{ address: d.buffer(), length: 16 }]));
      d.notify(queue);
      return undefined;
    },
  },
  {
    bug: 'VB-136',
    does: 'takes the multiplier from behind the notify capability, finds 0, and notifies every queue at the first one',
    rule: 'pci.notify-value',
    bench: () => ({ devices: [consoleDevice({ transport: 'pci', pci: { capabilityPadding: 4 } })] }),
    script: (_, wrong, bench) => {
      const d = new PciDriver(bench, { queues: [0, 1] });
      d.start();
      const notify = d.bus.structures.find(({ cfgType: type }) => type === cfgType.notify);
      if (notify !== undefined) d.multiplier = d.bus.config(notify.at + (wrong ? 20 : 16), 4);
      const queue = d.queue(1);
      d.publish(queue, d.addChain(queue, [{ address: d.buffer(), length: 16 }]));
      d.notify(queue);
      return undefined;
    },
  },
  modern('VB-146', 'serves the interrupt without reading the ISR status', 'pci.isr-not-read', (d, wrong) => {
    d.start();
    readSector(d);
    d.bench.run(200);
    const source = d.bench.claim();
    if (!wrong) d.readInterruptStatus();
    d.bench.complete(source);
    d.bench.run(20_000_000);
    d.bench.idle();
  }),
  modern(
    'VB-159',
    'asks the ISR status in the handler of a vector, finds 0, and returns',
    'pci.isr-read-with-msix',
    (d, wrong) => {
      negotiate(d);
      d.bus.writeConfig(d.bus.msix + 2, 2, 0x8000);
      d.setUpQueue(0);
      d.driverOk();
      if (wrong) d.readInterruptStatus();
      readSector(d);
    },
    { msixVectors: 2 },
  ),
  modern(
    'VB-160',
    'stores the address of the descriptor table in one access of 64 bits',
    'pci.field-width',
    (d, wrong) => {
      negotiate(d);
      const queue = d.placeQueue(0);
      d.selectQueue(0);
      if (wrong) d.bench.store(d.place('queue_desc_lo').address, 8, queue.descriptors);
      else d.writeAddress('QueueDesc', queue.descriptors);
    },
  ),
  modern('VB-162', 'loads device_feature with 16 bits', 'pci.field-width', (d, wrong) => {
    d.probe();
    d.reset();
    d.acknowledge();
    d.driver();
    d.selectDeviceFeatures(0);
    d.bench.load(d.place('device_feature').address, wrong ? 2 : 4);
  }),
  {
    bug: 'VB-173',
    does: 'switches I/O and memory space on and leaves bus mastering off',
    rule: 'pci.bus-master-off',
    bench: () => ({ devices: [blockDevice({ transport: 'pci-legacy' })] }),
    script: (_, wrong, bench) => {
      const d = new LegacyPciDriver(bench, { queueSize: 256 });
      d.probe();
      d.bus.enable(commandBits.ioSpace | commandBits.memorySpace | (wrong ? 0 : commandBits.busMaster));
      d.reset();
      d.acknowledge();
      d.driver();
      d.negotiate();
      d.setUpQueue(0);
      d.driverOk();
      return undefined;
    },
  },
  modern(
    'VB-175',
    'writes the bus master bit to the status register beside the command',
    'pci.bus-master-off',
    (d, wrong) => {
      d.bus.enable = () => {
        d.bus.writeConfig(4, 2, commandBits.memorySpace | (wrong ? 0 : commandBits.busMaster));
        if (wrong) d.bus.writeConfig(pciStatus, 2, commandBits.busMaster);
      };
      d.start();
    },
  ),
];
