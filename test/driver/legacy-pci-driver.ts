// A scripted driver of a virtio-pci device through its legacy header in I/O space. [virtio 1.4, 4.1.4.10, 4.1.5.1.3.1]
import type { AccessSize } from '../../emulator/bus/access';
import { legacyHeader } from '../../emulator/virtio/transport/pci-legacy-registers';
import type { Bench } from './bench';
import type { DriverOptions } from './driver';
import { LegacyMmioDriver } from './legacy-driver';
import { PciBus } from './pci-bus';
import { firstDevice } from './pci-driver';

const fields: Readonly<Record<string, string>> = {
  DeviceFeatures: 'Device Features',
  DriverFeatures: 'Driver Features',
  QueuePFN: 'Queue Address',
  QueueSizeMax: 'queue_size',
  QueueSel: 'queue_select',
  QueueNotify: 'Queue Notify',
  Status: 'Device Status',
  InterruptStatus: 'ISR Status',
};

export class LegacyPciDriver extends LegacyMmioDriver {
  readonly bus: PciBus;
  /** Whether the driver believes that MSI-X is switched on, which moves the configuration. */
  msix = false;

  constructor(bench: Bench, options: DriverOptions = {}, device = firstDevice) {
    super(bench, options);
    this.bus = new PciBus(bench, device);
  }

  override probe(): void {
    this.bus.discover();
  }
  override writePageSize(): void {
    // A page has 4096 bytes here.
  }
  override writeAlignment(): void {
    // So has the used ring's alignment.
  }
  /** The device's size cannot be changed. */
  override writeQueueSize(): void {
    // Nothing to write.
  }
  override selectDeviceFeatures(): void {
    // There is one window only.
  }
  override selectDriverFeatures(): void {
    // There is one window only.
  }
  override acknowledgeInterrupt(): void {
    // Reading the ISR status acknowledged already.
  }

  override config(offset: number, size: AccessSize): number {
    return Number(this.bench.load(this.header() + legacyHeader(this.msix).bytes + offset, size));
  }
  override writeConfig(offset: number, size: AccessSize, value: number): void {
    this.bench.store(this.header() + legacyHeader(this.msix).bytes + offset, size, value);
  }
  override read(register: string): number {
    const { address, size } = this.place(register);
    return Number(this.bench.load(address, size));
  }
  override write(register: string, value: number): void {
    const { address, size } = this.place(register);
    this.bench.store(address, size, value);
  }
  place(register: string): { readonly address: number; readonly size: AccessSize } {
    const name = fields[register] ?? register;
    const row = legacyHeader(true).registers.find((each) => each.name === name);
    if (row === undefined) throw new Error(`the legacy header has no field ${register}`);
    return { address: this.header() + row.offset, size: row.width === 8 ? 1 : row.width === 16 ? 2 : 4 };
  }
  private header(): number {
    const bar = this.bus.bars.get(0);
    if (bar === undefined) throw new Error('BAR0 is not placed');
    return bar;
  }
}
