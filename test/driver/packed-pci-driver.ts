// A scripted driver of packed rings on virtio-pci: the rings are the packed driver's, the registers those of the PCI driver.
// [virtio 1.4, 2.8, 4.1]
import type { AccessSize } from '../../emulator/bus/access';
import type { Bench } from './bench';
import type { DriverOptions, DriverQueue } from './driver';
import { PackedDriver } from './packed-driver';
import { PciDriver } from './pci-driver';

export class PackedPciDriver extends PackedDriver {
  readonly registers: PciDriver;

  constructor(bench: Bench, options: DriverOptions = {}, device?: number) {
    super(bench, options);
    this.registers = new PciDriver(bench, options, device);
  }

  override probe(): void {
    this.registers.probe();
  }
  override chooseFeatures(): void {
    super.chooseFeatures();
    this.registers.accepted = this.accepted;
  }
  override selectQueue(index: number): void {
    this.registers.selectQueue(index);
  }
  override readMaximumSize(): number {
    return this.registers.readMaximumSize();
  }
  override stopQueue(): void {
    this.registers.stopQueue();
  }

  override notify(queue: DriverQueue): void {
    queue.notifiedIndex = queue.availableIndex;
    this.orderDoorbell();
    this.registers.ring(queue.index, this.notification(queue));
  }
  override notification(queue: DriverQueue): number {
    return this.registers.withDeviceWord(queue.index, super.notification(queue));
  }
  override readInterruptStatus(): number {
    return this.registers.readInterruptStatus();
  }
  override acknowledgeInterrupt(): void {
    // Reading the ISR status acknowledged already.
  }

  override config(offset: number, size: AccessSize): number {
    return this.registers.config(offset, size);
  }
  override writeConfig(offset: number, size: AccessSize, value: number): void {
    this.registers.writeConfig(offset, size, value);
  }
  override read(register: string): number {
    return this.registers.read(register);
  }
  override write(register: string, value: number): void {
    this.registers.write(register, value);
  }
}
