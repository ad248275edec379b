// A scripted driver of a legacy virtio-mmio device, version 1: no FEATURES_OK, one window of features, queues by page frame number.
// Its steps bear the names of the current driver's, so that scripts read alike. [virtio 1.4, 3.1.2, 4.2.4]
import { legacyAreas } from '../../emulator/virtio/spec/split-ring';
import { mmioLegacyRegisters } from '../../emulator/virtio/transport/mmio-legacy-registers';
import { type DriverQueue, ScriptedDriver } from './driver';

/** Names of the current registers that the legacy table has under another one. */
const legacyNames: Readonly<Record<string, string>> = {
  DeviceFeatures: 'HostFeatures',
  DeviceFeaturesSel: 'HostFeaturesSel',
  DriverFeatures: 'GuestFeatures',
  DriverFeaturesSel: 'GuestFeaturesSel',
  QueueSizeMax: 'QueueNumMax',
  QueueSize: 'QueueNum',
};
const pageBytes = 4096;

export class LegacyMmioDriver extends ScriptedDriver {
  override start(): void {
    this.probe();
    this.writePageSize();
    this.reset();
    this.acknowledge();
    this.driver();
    this.negotiate();
    for (const queue of this.options.queues ?? [0]) this.setUpQueue(queue);
    this.driverOk();
  }

  writePageSize(size = pageBytes): void {
    this.write('GuestPageSize', size);
  }

  override readOffer(): void {
    this.offered = BigInt(this.readFeatureWindow(0));
  }
  override writeFeatures(): void {
    this.writeFeatureWindow(0, Number(this.accepted & 0xffff_ffffn));
  }

  override setUpQueue(index: number, change: Partial<DriverQueue> = {}): DriverQueue {
    const queue = { ...this.placeQueue(index), ...change };
    this.queues.set(index, queue);
    this.selectQueue(index);
    this.checkQueueIdle();
    this.readMaximumSize();
    this.writeQueueSize(queue.size);
    this.writeAlignment();
    this.clearRings(queue);
    this.writePageFrame(queue.descriptors / pageBytes);
    return queue;
  }
  override placeQueue(index: number): DriverQueue {
    const queue = super.placeQueue(index);
    const { available, used } = legacyAreas(BigInt(queue.descriptors), queue.size, pageBytes);
    return { ...queue, available: Number(available), used: Number(used) };
  }
  override checkQueueIdle(): void {
    this.read('QueuePFN');
  }
  writeAlignment(bytes = pageBytes): void {
    this.write('QueueAlign', bytes);
  }
  writePageFrame(frame: number): void {
    this.write('QueuePFN', frame);
  }
  override stopQueue(): void {
    this.writePageFrame(0);
  }

  override register(name: string): number {
    const wanted = legacyNames[name] ?? name;
    const row = mmioLegacyRegisters.find((register) => register.name === wanted);
    if (row === undefined) throw new Error(`a legacy device has no register ${name}`);
    return this.base + row.offset;
  }
}
