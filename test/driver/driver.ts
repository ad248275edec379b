// A scripted driver that keeps to the specification: every step is a method of its own, so that a violating twin differs in one step
// only. It drives registers and rings through a bench as a guest would. [virtio 1.4, 2.7, 3.1.1, 4.2.3]
import type { AccessSize } from '../../emulator/bus/access';
import { feature, featureSet } from '../../emulator/virtio/spec/feature';
import {
  areaBytes,
  availableOffset,
  descriptorBytes,
  descriptorFlag,
  descriptorOffset,
  needsEvent,
  usedOffset,
} from '../../emulator/virtio/spec/split-ring';
import { status } from '../../emulator/virtio/spec/status';
import { mmioRegisters } from '../../emulator/virtio/transport/mmio-registers';
import type { Bench } from './bench';

/** One buffer of a request. */
export interface Piece {
  readonly address: number;
  readonly length: number;
  readonly deviceWritable?: boolean;
}

/** A queue as the driver keeps it. */
export interface DriverQueue {
  readonly index: number;
  readonly size: number;
  readonly descriptors: number;
  readonly available: number;
  readonly used: number;
  /** Free-running. */
  availableIndex: number;
  lastUsed: number;
  /** Available index at the last notification. */
  notifiedIndex: number;
  nextFree: number;
  /** Heads at the device, in the order of publishing; with VIRTIO_F_IN_ORDER they come back in it, several at once. */
  published: number[];
}

export interface DriverOptions {
  readonly slot?: number;
  readonly queues?: readonly number[];
  readonly queueSize?: number;
  /** What the driver understands. */
  readonly features?: bigint;
}

const offsetOf = new Map(mmioRegisters.map(({ name, offset }) => [name, offset]));
/** Understood unless told otherwise; a legacy device offers no such bit. */
const defaultFeatures = featureSet(feature.VERSION_1);

/** Where the driver keeps its queues and its buffers, in bytes from the start of RAM. */
const ringArea = 0x1_0000;
const ringStride = 0x4000;
export const bufferArea = 0x2_0000;
export const tableArea = 0x3_0000;

export class ScriptedDriver {
  readonly base: number;
  readonly queues = new Map<number, DriverQueue>();
  readonly queueSize: number;
  accepted = 0n;
  offered = 0n;
  statusNow = 0;
  /** `len` of the entry that was collected last. */
  usedLength = 0;

  constructor(
    readonly bench: Bench,
    readonly options: DriverOptions = {},
  ) {
    this.base = bench.slot(options.slot ?? 7);
    this.queueSize = options.queueSize ?? 8;
  }

  // The whole sequence. [3.1.1]

  /** Everything up to a live device. */
  start(): void {
    this.probe();
    this.reset();
    this.acknowledge();
    this.driver();
    this.negotiate();
    this.confirmFeatures();
    for (const queue of this.options.queues ?? [0]) this.setUpQueue(queue);
    this.driverOk();
  }

  probe(): void {
    this.read('MagicValue');
    this.read('Version');
    this.read('DeviceID');
    this.read('VendorID');
  }

  reset(): void {
    this.write('Status', 0);
    this.statusNow = 0;
    this.awaitReset();
  }
  awaitReset(): void {
    while (this.read('Status') !== 0);
  }

  acknowledge(): void {
    this.addStatus(status.ACKNOWLEDGE);
  }
  driver(): void {
    this.addStatus(status.DRIVER);
  }

  negotiate(): void {
    this.readOffer();
    this.chooseFeatures();
    this.writeFeatures();
  }
  readOffer(): void {
    this.offered = this.windows().reduce(
      (bits, window) => bits | (BigInt(this.readFeatureWindow(window)) << BigInt(32 * window)),
      0n,
    );
  }
  readFeatureWindow(window: number): number {
    this.selectDeviceFeatures(window);
    return this.read('DeviceFeatures');
  }
  selectDeviceFeatures(window: number): void {
    this.write('DeviceFeaturesSel', window);
  }
  chooseFeatures(): void {
    this.accepted = this.offered & (this.options.features ?? defaultFeatures);
  }
  writeFeatures(): void {
    for (const window of this.windows()) {
      this.writeFeatureWindow(window, Number((this.accepted >> BigInt(32 * window)) & 0xffff_ffffn));
    }
  }
  /** Windows of 32 feature bits that hold something the driver understands, and always the first two. */
  private windows(): readonly number[] {
    return [0, 1, 2, 3].filter((window) => window < 2 || (this.options.features ?? 0n) >> BigInt(32 * window) !== 0n);
  }
  writeFeatureWindow(window: number, value: number): void {
    this.selectDriverFeatures(window);
    this.write('DriverFeatures', value);
  }
  selectDriverFeatures(window: number): void {
    this.write('DriverFeaturesSel', window);
  }

  confirmFeatures(): void {
    this.addStatus(status.FEATURES_OK);
    this.readBackFeaturesOk();
  }
  readBackFeaturesOk(): boolean {
    return (this.read('Status') & status.FEATURES_OK) !== 0;
  }

  driverOk(): void {
    this.addStatus(status.DRIVER_OK);
  }

  /** Suspends the device and waits until it is. [3.4.1] */
  suspend(): void {
    this.askSuspend();
    this.awaitStatus(status.SUSPEND);
  }
  askSuspend(): void {
    this.write('Status', this.statusNow | status.SUSPEND);
  }
  resume(): void {
    this.askResume();
    this.awaitStatus(status.DRIVER_OK);
  }
  askResume(): void {
    this.write('Status', this.statusNow | status.SUSPEND);
  }
  /** Reads Status until it shows this one of SUSPEND and DRIVER_OK, and not the other. */
  awaitStatus(bit: number): void {
    for (let turn = 0; (this.read('Status') & (status.SUSPEND | status.DRIVER_OK)) !== bit; turn++) {
      if (turn === 1000) throw new Error(`status never showed ${bit}`);
      this.bench.run(100);
    }
  }

  /** Sets a status bit and keeps the others. */
  addStatus(bit: number): void {
    this.statusNow |= bit;
    this.write('Status', this.statusNow);
  }

  // Queues. [4.2.3.2]

  /** @param change what is placed or sized differently than usual */
  setUpQueue(index: number, change: Partial<DriverQueue> = {}): DriverQueue {
    const queue = { ...this.placeQueue(index), ...change };
    this.queues.set(index, queue);
    this.selectQueue(index);
    this.checkQueueIdle();
    this.readMaximumSize();
    this.writeQueueSize(queue.size);
    this.clearRings(queue);
    this.writeAddresses(queue);
    this.enableQueue();
    return queue;
  }
  placeQueue(index: number): DriverQueue {
    const start = this.bench.ramBase + ringArea + index * ringStride;
    const available = start + 0x1000;
    return {
      index,
      size: this.queueSize,
      descriptors: start,
      available,
      used: start + 0x2000,
      availableIndex: 0,
      lastUsed: 0,
      notifiedIndex: 0,
      nextFree: 0,
      published: [],
    };
  }
  selectQueue(index: number): void {
    this.write('QueueSel', index);
  }
  checkQueueIdle(): void {
    this.read('QueueReady');
  }
  readMaximumSize(): number {
    return this.read('QueueSizeMax');
  }
  writeQueueSize(size: number): void {
    this.write('QueueSize', size);
  }
  clearRings({ descriptors, available, used, size }: DriverQueue): void {
    for (const [start, bytes] of [
      [descriptors, areaBytes.descriptor(size)],
      [available, areaBytes.available(size)],
      [used, areaBytes.used(size)],
    ] as const) {
      for (let at = start; at < start + bytes; at += 2) this.bench.store(at, 2, 0);
    }
  }
  writeAddresses({ descriptors, available, used }: DriverQueue): void {
    this.writeAddress('QueueDesc', descriptors);
    this.writeAddress('QueueDriver', available);
    this.writeAddress('QueueDevice', used);
  }
  writeAddress(register: 'QueueDesc' | 'QueueDriver' | 'QueueDevice', address: number): void {
    this.write(`${register}Low`, address >>> 0);
    this.write(`${register}High`, Math.floor(address / 2 ** 32));
  }
  enableQueue(): void {
    this.write('QueueReady', 1);
  }
  /** Resets the selected queue alone and waits for it. [2.6.1.1] */
  resetQueue(): void {
    this.write('QueueReset', 1);
    this.awaitQueueReset();
  }
  awaitQueueReset(): void {
    while (this.read('QueueReset') !== 0);
  }
  stopQueue(): void {
    this.write('QueueReady', 0);
    while (this.read('QueueReady') !== 0);
  }

  // Buffers. [2.7.13]

  /** Publishes one chain, notifies if needed and waits for it. Returns the head. */
  submit(queue: DriverQueue, pieces: readonly Piece[]): number {
    const head = this.addChain(queue, pieces);
    this.publish(queue, head);
    this.notifyIfWanted(queue);
    this.waitUsed(queue);
    return head;
  }

  /** Links free descriptors into a chain; returns its head. */
  addChain(queue: DriverQueue, pieces: readonly Piece[]): number {
    const indices = pieces.map(() => this.allocate(queue));
    pieces.forEach((piece, i) => {
      const index = indices[i] ?? 0;
      const next = indices[i + 1];
      const flags =
        (next === undefined ? 0 : descriptorFlag.NEXT) | (piece.deviceWritable === true ? descriptorFlag.WRITE : 0);
      this.writeDescriptor(queue.descriptors, index, piece, flags, next ?? 0);
    });
    return indices[0] ?? 0;
  }
  allocate(queue: DriverQueue): number {
    const index = queue.nextFree % queue.size;
    queue.nextFree++;
    return index;
  }
  /** A chain that consists of one indirect descriptor; the table stands at `table`. */
  addIndirectChain(queue: DriverQueue, pieces: readonly Piece[], table: number): number {
    pieces.forEach((piece, i) => {
      const isLast = i === pieces.length - 1;
      const flags = (isLast ? 0 : descriptorFlag.NEXT) | (piece.deviceWritable === true ? descriptorFlag.WRITE : 0);
      this.writeDescriptor(table, i, piece, flags, isLast ? 0 : i + 1);
    });
    const head = this.allocate(queue);
    const whole = { address: table, length: pieces.length * descriptorBytes };
    this.writeDescriptor(queue.descriptors, head, whole, descriptorFlag.INDIRECT, 0);
    return head;
  }
  writeDescriptor(table: number, index: number, piece: Piece, flags: number, next: number): void {
    const at = table + index * descriptorBytes;
    this.bench.store(at + descriptorOffset.addr, 8, piece.address);
    this.bench.store(at + descriptorOffset.len, 4, piece.length);
    this.bench.store(at + descriptorOffset.flags, 2, flags);
    this.bench.store(at + descriptorOffset.next, 2, next);
  }

  /** Stores the head into its slot, then the index. */
  publish(queue: DriverQueue, head: number): void {
    this.storeSlot(queue, head);
    queue.published.push(head);
    queue.availableIndex = (queue.availableIndex + 1) & 0xffff;
    this.orderStores();
    this.storeIndex(queue, queue.availableIndex);
  }
  /** Everything stored so far before what is stored next. [2.7.13.3.1] */
  orderStores(): void {
    this.bench.fence('w', 'w');
  }
  storeSlot(queue: DriverQueue, head: number): void {
    this.bench.store(queue.available + availableOffset.ring(queue.availableIndex % queue.size), 2, head);
  }
  storeIndex(queue: DriverQueue, index: number): void {
    this.bench.store(queue.available + availableOffset.idx, 2, index);
  }

  /** Notifies when the device asks for it. [2.7.10.1] */
  notifyIfWanted(queue: DriverQueue): void {
    if (this.isNotificationWanted(queue)) this.notify(queue);
  }
  isNotificationWanted(queue: DriverQueue): boolean {
    this.orderCheck();
    if ((this.accepted & featureSet(feature.EVENT_IDX)) === 0n) {
      return this.ram(queue.used + usedOffset.flags, 2) === 0;
    }
    const event = this.ram(queue.used + usedOffset.availEvent(queue.size), 2);
    const wanted = needsEvent(event, queue.availableIndex, queue.notifiedIndex);
    queue.notifiedIndex = queue.availableIndex;
    return wanted;
  }
  /** The available index before the device's wish. [2.7.13.4.1] */
  orderCheck(): void {
    this.bench.fence('w', 'r');
  }
  notify(queue: DriverQueue): void {
    queue.notifiedIndex = queue.availableIndex;
    this.orderDoorbell();
    this.write('QueueNotify', this.notification(queue));
  }
  /** The queue's index, and with VIRTIO_F_NOTIFICATION_DATA above it the next place to be filled. [4.2.3.3] */
  notification(queue: DriverQueue): number {
    if ((this.accepted & featureSet(feature.NOTIFICATION_DATA)) === 0n) return queue.index;
    return (queue.index | (this.nextPlace(queue) << 16)) >>> 0;
  }
  protected nextPlace(queue: DriverQueue): number {
    return queue.availableIndex;
  }

  /** Memory before the device's register. */
  orderDoorbell(): void {
    this.bench.fence('w', 'o');
  }

  /** Waits for the next used entry, collects it and returns its id. */
  waitUsed(queue: DriverQueue): number {
    for (let turn = 0; !this.hasUsed(queue); turn++) {
      if (turn === 100) throw new Error(`queue ${queue.index} used nothing`);
      this.bench.run(500);
    }
    return this.collect(queue);
  }
  hasUsed(queue: DriverQueue): boolean {
    return this.ram(queue.used + usedOffset.idx, 2, pollPc) !== queue.lastUsed;
  }
  collect(queue: DriverQueue): number {
    this.orderUsed();
    const slot = queue.lastUsed % queue.size;
    const id = this.ram(queue.used + usedOffset.id(slot), 4);
    this.usedLength = this.ram(queue.used + usedOffset.len(slot), 4);
    // One entry stands for all up to the one that it names. [2.7.9]
    const batch = this.isInOrder ? queue.published.indexOf(id) + 1 : 1;
    queue.published = this.isInOrder ? queue.published.slice(batch) : queue.published.filter((head) => head !== id);
    queue.lastUsed = (queue.lastUsed + batch) & 0xffff;
    return id;
  }
  /** Buffers made available and not yet collected. */
  outstanding(queue: DriverQueue): number {
    return queue.published.length;
  }
  protected get isInOrder(): boolean {
    return (this.accepted & featureSet(feature.IN_ORDER)) !== 0n;
  }

  /** The used index before what it announces. [2.7.14] */
  orderUsed(): void {
    this.bench.fence('r', 'r');
  }

  // Interrupts. [4.2.3.4]

  /** Serves a pending interrupt; false when there is none. */
  serveInterrupt(): boolean {
    const source = this.bench.claim();
    if (source === 0) return false;
    this.acknowledgeInterrupt(this.readInterruptStatus());
    this.bench.complete(source);
    return true;
  }
  readInterruptStatus(): number {
    return this.read('InterruptStatus');
  }
  acknowledgeInterrupt(bits: number): void {
    this.write('InterruptACK', bits);
  }

  // Configuration space. [2.5.1]

  /** Reads 64 bits between two equal generations. */
  readWide(offset: number): bigint {
    for (;;) {
      const before = this.read('ConfigGeneration');
      const value = BigInt(this.config(offset, 4)) | (BigInt(this.config(offset + 4, 4)) << 32n);
      if (this.read('ConfigGeneration') === before) return value;
    }
  }
  config(offset: number, size: AccessSize): number {
    return Number(this.bench.load(this.base + 0x100 + offset, size));
  }
  writeConfig(offset: number, size: AccessSize, value: number): void {
    this.bench.store(this.base + 0x100 + offset, size, value);
  }

  // Single accesses.

  read(register: string): number {
    return Number(this.bench.load(this.register(register), 4));
  }
  write(register: string, value: number): void {
    this.bench.store(this.register(register), 4, value);
  }
  register(name: string): number {
    const offset = offsetOf.get(name);
    if (offset === undefined) throw new Error(`there is no register ${name}`);
    return this.base + offset;
  }
  /** A load from RAM. */
  ram(address: number, size: AccessSize, pc?: bigint): number {
    return Number(this.bench.load(address, size, pc));
  }
  /** The queue set up with this index. */
  queue(index = 0): DriverQueue {
    const queue = this.queues.get(index);
    if (queue === undefined) throw new Error(`queue ${index} is not set up`);
    return queue;
  }
  /** An address in the driver's buffer space. */
  buffer(offset = 0): number {
    return this.bench.ramBase + bufferArea + offset;
  }
  table(offset = 0): number {
    return this.bench.ramBase + tableArea + offset;
  }
}

/** All turns of a waiting loop execute the same load. */
const pollPc = 0x9000_0000n;
