// A scripted driver of a virtio-pci device. Steps bear the names that they have on mmio, so that scripts run over both; the table below
// says which field each register is. [virtio 1.4, 4.1.4, 4.1.5]
import type { AccessSize } from '../../emulator/bus/access';
import { feature, hasFeature } from '../../emulator/virtio/spec/feature';
import { cfgType } from '../../emulator/virtio/transport/pci-layout';
import { pciCommonRegisters } from '../../emulator/virtio/transport/pci-registers';
import type { Bench } from './bench';
import { type DriverOptions, type DriverQueue, ScriptedDriver } from './driver';
import { PciBus } from './pci-bus';

const fields: Readonly<Record<string, string>> = {
  DeviceFeaturesSel: 'device_feature_select',
  DeviceFeatures: 'device_feature',
  DriverFeaturesSel: 'driver_feature_select',
  DriverFeatures: 'driver_feature',
  QueueSel: 'queue_select',
  QueueSizeMax: 'queue_size',
  QueueSize: 'queue_size',
  QueueReady: 'queue_enable',
  QueueReset: 'queue_reset',
  Status: 'device_status',
  ConfigGeneration: 'config_generation',
  QueueDescLow: 'queue_desc_lo',
  QueueDescHigh: 'queue_desc_hi',
  QueueDriverLow: 'queue_driver_lo',
  QueueDriverHigh: 'queue_driver_hi',
  QueueDeviceLow: 'queue_device_lo',
  QueueDeviceHigh: 'queue_device_hi',
};

/** The device number of the first PCI device that a bench has. */
export const firstDevice = 1;

export class PciDriver extends ScriptedDriver {
  readonly bus: PciBus;
  /** notify_off_multiplier. */
  multiplier = 0;
  readonly notifyOff = new Map<number, number>();
  /** queue_notif_config_data. */
  readonly notifConfigData = new Map<number, number>();

  constructor(bench: Bench, options: DriverOptions = {}, device = firstDevice) {
    super(bench, options);
    this.bus = new PciBus(bench, device);
  }

  override probe(): void {
    this.bus.discover();
    this.readMultiplier();
  }
  readMultiplier(): void {
    const notify = this.bus.structures.find((one) => one.cfgType === cfgType.notify);
    this.multiplier = notify === undefined ? 0 : this.bus.config(notify.at + 16, 4);
  }

  override readMaximumSize(): number {
    const size = super.readMaximumSize();
    this.notifyOff.set(this.selected, this.field('queue_notify_off'));
    if (hasFeature(this.accepted, feature.NOTIF_CONFIG_DATA)) {
      this.notifConfigData.set(this.selected, this.field('queue_notif_config_data'));
    }
    return size;
  }
  private selected = 0;
  override selectQueue(index: number): void {
    this.selected = index;
    super.selectQueue(index);
  }
  override stopQueue(): void {
    throw new Error('a queue on PCI is stopped by a reset only');
  }

  override notify(queue: DriverQueue): void {
    queue.notifiedIndex = queue.availableIndex;
    this.orderDoorbell();
    this.ring(queue.index, this.notification(queue));
  }
  /** Stores a notification at the queue's place, at the width that was negotiated. */
  ring(queue: number, value: number): void {
    const size = hasFeature(this.accepted, feature.NOTIFICATION_DATA) ? 4 : 2;
    this.bench.store(this.notifyAddress(queue), size, value);
  }
  /** With VIRTIO_F_NOTIF_CONFIG_DATA the device's word stands for the queue's index. [4.1.5.2] */
  override notification(queue: DriverQueue): number {
    return this.withDeviceWord(queue.index, super.notification(queue));
  }
  withDeviceWord(queue: number, value: number): number {
    return ((value & ~0xffff) | (this.notifConfigData.get(queue) ?? value & 0xffff)) >>> 0;
  }
  notifyAddress(queue: number): number {
    return this.bus.structure(cfgType.notify) + (this.notifyOff.get(queue) ?? 0) * this.multiplier;
  }

  /** Reading the ISR status acknowledges. */
  override readInterruptStatus(): number {
    return Number(this.bench.load(this.bus.structure(cfgType.isr), 1));
  }
  override acknowledgeInterrupt(): void {
    // There is nothing to write.
  }

  override config(offset: number, size: AccessSize): number {
    return Number(this.bench.load(this.bus.structure(cfgType.device) + offset, size));
  }
  override writeConfig(offset: number, size: AccessSize, value: number): void {
    this.bench.store(this.bus.structure(cfgType.device) + offset, size, value);
  }

  override read(register: string): number {
    return this.field(fields[register] ?? register);
  }
  override write(register: string, value: number): void {
    this.setField(fields[register] ?? register, value);
  }
  field(name: string): number {
    const { address, size } = this.place(name);
    return Number(this.bench.load(address, size));
  }
  setField(name: string, value: number): void {
    const { address, size } = this.place(name);
    this.bench.store(address, size, value);
  }
  /** Processor address and width of a common configuration field. */
  place(name: string): { readonly address: number; readonly size: AccessSize } {
    const row = pciCommonRegisters.find((register) => register.name === name);
    if (row === undefined) throw new Error(`the common configuration has no field ${name}`);
    const size: AccessSize = row.width === 8 ? 1 : row.width === 16 ? 2 : 4;
    return { address: this.bus.structure(cfgType.common) + row.offset, size };
  }
}
