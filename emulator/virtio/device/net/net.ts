// Network device: pairs of receive and transmit queues and a control queue. Frames leave through the channel `sent` and come in as the
// device's input; whatever is on the other side sees whole Ethernet frames only, with checksums. [virtio 1.4, 5.1]
import type { SavedState } from '../../../bus/access';
import type { NetworkArrival } from '../../../configuration';
import { byteCount, describeFrame } from '../../../network/describe';
import { ethernetHeaderBytes, parseFrame } from '../../../network/packet';
import { deviceId } from '../../spec/device-id';
import { feature, hasFeature } from '../../spec/feature';
import { controlQueue, netConfigFields, netFeature, receiveQueue } from '../../spec/net';
import { controlAnswer, offloadFeatures } from '../../spec/net-control';
import { netHeaderBytes } from '../../spec/net-header';
import { type DeviceBuffer, type DeviceContext, mainChannel, type VirtioDevice } from '../interface';
import { encodeNetConfig } from './config';
import { executeControl, forgetGathering, gatheringOf, type NetSettings } from './control';
import { copyFilter, freshFilter, wants } from './filter';
import { completeOutgoing, prepareIncoming } from './header';
import { FlowFilter } from './flow-filter';
import { hashOf, spread } from './hash';
import { enqueue, fillBuffers, type WaitingPacket } from './receive';

/** Output channels: frames that left, and frames that reached a receive buffer. */
export const netChannel = { sent: 'sent', received: 'received' } as const;

export interface NetOptions {
  /** Six bytes. */
  readonly address: Uint8Array;
  /** Largest packet without the Ethernet header, 68 to 65535. */
  readonly mtu: number;
  /** Pairs of queues; more than one is offered with MQ. */
  readonly pairs: number;
  readonly queueSize: number;
  /** Device-specific bits to offer. */
  readonly features: bigint;
  /** Virtual nanoseconds after DRIVER_OK at which the device asks the driver to announce itself; undefined: never. */
  readonly announceAfter: number | undefined;
  /** Frames that arrive at these virtual nanoseconds after DRIVER_OK, in order. */
  readonly arrivals: readonly NetworkArrival[];
}

interface FinishedBuffer {
  readonly head: number;
  readonly written: number;
}

interface SavedNet {
  readonly settings: NetSettings;
  readonly negotiated: bigint | undefined;
  readonly waiting: readonly (readonly WaitingPacket[])[];
  readonly finished: readonly (readonly FinishedBuffer[])[];
  readonly flows: readonly (readonly [string, number])[];
  readonly arrived: number;
}

/** Longest packet that a driver may send: the greatest IPv4 packet with a tagged Ethernet header. */
const maximumSendBytes = 65_535 + ethernetHeaderBytes + 4;
/** Longest command: RSS with a full table and key is far below. */
const maximumCommandBytes = 64 * 1024;
/** Flows whose transmit queue is remembered. */
const maximumFlows = 4096;
/** Tokens of the timers that ask for an announcement and let the next frame arrive; others are queue numbers. */
const announceToken = -1;
const arrivalToken = -2;
const atOnce = { packets: 0, microseconds: 0 };

export class NetDevice implements VirtioDevice {
  readonly deviceId = deviceId.net;
  readonly typeName = 'net';
  readonly queueMaximumSizes: readonly number[];
  readonly configFields = netConfigFields;
  readonly features: bigint;
  readonly administration: FlowFilter;
  private context: DeviceContext | undefined;
  private negotiatedFeatures = 0n;
  /** The driver's choice of features is known. */
  private settled = false;
  private settings: NetSettings;
  /** Packets without a buffer, for each pair. */
  private waiting: WaitingPacket[][];
  /** The oldest held buffers of each queue, which are done with and gathered before they are given back. */
  private finished: FinishedBuffer[][];
  /** Pair over which a flow was last sent: its answers come back there. [5.1.9.5.6] */
  private flows = new Map<string, number>();
  /** How many of the frames that come by themselves have come. */
  private arrived = 0;

  constructor(private readonly options: NetOptions) {
    this.features = options.features;
    const control = hasFeature(this.features, netFeature.CTRL_VQ) ? 1 : 0;
    this.queueMaximumSizes = Array.from({ length: 2 * options.pairs + control }, () => options.queueSize);
    this.administration = new FlowFilter(options.pairs);
    this.settings = this.freshSettings();
    this.waiting = this.freshWaiting();
    this.finished = this.freshFinished();
  }

  /** Packets reach the driver in the order in which they came. */
  get orderedQueues(): readonly number[] {
    return this.queueMaximumSizes.flatMap((_, queue) => (queue % 2 === 0 && queue !== this.control ? [queue] : []));
  }

  get queueNames(): readonly string[] {
    return this.queueMaximumSizes.map((_, queue) => {
      if (queue === this.control) return 'controlq';
      return `${queue % 2 === 0 ? 'receiveq' : 'transmitq'}${(queue >> 1) + 1}`;
    });
  }

  negotiated(features: bigint): void {
    this.negotiatedFeatures = features;
    this.settled = true;
    this.settings.offloads = offloadFeatures.reduce(
      (bits, bit) => (hasFeature(features, bit) ? bits | (1n << BigInt(bit)) : bits),
      0n,
    );
  }

  activate(context: DeviceContext): void {
    this.context = context;
    const { announceAfter } = this.options;
    if (announceAfter !== undefined && this.has(netFeature.GUEST_ANNOUNCE))
      context.schedule(announceAfter, announceToken);
    this.expectArrival(0);
  }

  queueNotified(queue: number): void {
    if (queue === this.control) this.executeCommand();
    else if (queue % 2 === 0) this.fill(queue >> 1);
    else this.send(queue);
  }

  queueStopped(queue: number): void {
    forgetGathering(this.settings, (each) => each === queue);
  }

  handleTimer(token: number): void {
    if (token === arrivalToken) this.arrive();
    else if (token !== announceToken) this.release(token);
    else if (!this.settings.announce) {
      this.settings.announce = true;
      this.context?.configChanged();
    }
  }

  /** A frame from outside. A card that nobody drives, or does not want it, loses it. */
  input(_channel: string, frame: Uint8Array): void {
    if (this.context === undefined) return;
    const { address, filter, offloads } = this.settings;
    if (frame.length > maximumSendBytes || !wants(filter, frame, address, this.negotiatedFeatures)) return;
    const verdict = this.administration.verdict(frame);
    if (verdict?.kind === 'drop') return;
    const pair = verdict === undefined || verdict.pair >= this.settings.pairs ? this.pairFor(frame) : verdict.pair;
    const { hash } = this.settings;
    const maximumFrameBytes = this.options.mtu + ethernetHeaderBytes;
    for (const packet of prepareIncoming(frame, { maximumFrameBytes, offloads })) {
      const reported = this.has(netFeature.HASH_REPORT) && hash !== undefined ? hashOf(packet.frame, hash) : undefined;
      const queue = this.waiting[pair];
      if (queue !== undefined) enqueue(queue, { ...packet, hash: reported }, offloads);
    }
    this.fill(pair);
  }

  readConfig(offset: number, length: number): Uint8Array {
    const { address, announce } = this.settings;
    const { pairs, mtu } = this.options;
    return encodeNetConfig({ address, announce, maximumPairs: pairs, mtu }).slice(offset, offset + length);
  }

  /** Only a legacy driver sets the address by writing it. [5.1.4.3] */
  writeConfig(offset: number, bytes: Uint8Array): void {
    const isLegacy = hasFeature(this.features, feature.VERSION_1) ? this.settled && !this.has(feature.VERSION_1) : true;
    if (!isLegacy) return;
    if (offset + bytes.length <= this.settings.address.length) this.settings.address.set(bytes, offset);
  }

  reset(): void {
    this.context = undefined;
    this.negotiatedFeatures = 0n;
    this.settled = false;
    this.settings = this.freshSettings();
    this.waiting = this.freshWaiting();
    this.finished = this.freshFinished();
    this.flows = new Map();
    this.arrived = 0;
  }

  save(): SavedState {
    const saved: SavedNet = {
      settings: { ...this.settings, filter: copyFilter(this.settings.filter) },
      negotiated: this.settled ? this.negotiatedFeatures : undefined,
      waiting: this.waiting.map((queue) => [...queue]),
      finished: this.finished.map((queue) => [...queue]),
      flows: [...this.flows],
      arrived: this.arrived,
    };
    return saved;
  }
  restore(state: SavedState): void {
    const saved = state as SavedNet;
    this.settings = { ...saved.settings, filter: copyFilter(saved.settings.filter) };
    this.settled = saved.negotiated !== undefined;
    this.negotiatedFeatures = saved.negotiated ?? 0n;
    this.waiting = saved.waiting.map((queue) => [...queue]);
    this.finished = saved.finished.map((queue) => [...queue]);
    this.flows = new Map(saved.flows);
    this.arrived = saved.arrived;
  }

  /** Number of the control queue with what was negotiated; before that, as if everything offered were. */
  private get control(): number | undefined {
    const features = this.settled ? this.negotiatedFeatures : this.features;
    if (!hasFeature(features, netFeature.CTRL_VQ)) return undefined;
    const multiqueue = hasFeature(features, netFeature.MQ) || hasFeature(features, netFeature.RSS);
    return controlQueue(this.options.pairs, multiqueue);
  }

  private has(bit: number): boolean {
    return hasFeature(this.negotiatedFeatures, bit);
  }

  /** @param since virtual nanoseconds after DRIVER_OK that have passed */
  private expectArrival(since: number): void {
    const next = this.options.arrivals[this.arrived];
    if (next !== undefined) this.context?.schedule(Math.max(0, next.nanoseconds - since), arrivalToken);
  }
  private arrive(): void {
    const frame = this.options.arrivals[this.arrived];
    if (frame === undefined) return;
    this.arrived++;
    this.expectArrival(frame.nanoseconds);
    this.input(mainChannel, frame.bytes);
  }

  // Sending.

  private send(queue: number): void {
    const { context } = this;
    const buffer = context?.next(queue);
    if (context === undefined || buffer === undefined) return;
    const headerBytes = netHeaderBytes(this.negotiatedFeatures);
    if (buffer.readableLength < headerBytes + ethernetHeaderBytes) {
      context.reject(buffer, `a packet of ${byteCount(buffer.readableLength)}, header included`);
      return;
    }
    if (buffer.readableLength > headerBytes + maximumSendBytes) {
      context.reject(buffer, `a packet of ${byteCount(buffer.readableLength)}`);
      return;
    }
    const bytes = buffer.read(0, buffer.readableLength);
    const frame = bytes.subarray(headerBytes);
    const outgoing = completeOutgoing(bytes.subarray(0, headerBytes), frame, this.negotiatedFeatures);
    if (outgoing.kind === 'dropped') buffer.describe(`send ${describeFrame(frame)}`, `dropped: ${outgoing.why}`);
    else {
      const { frames } = outgoing;
      buffer.describe(`send ${describeFrame(frame)}${frames.length > 1 ? `, in ${frames.length} segments` : ''}`);
      this.rememberFlow(frame, queue >> 1);
      for (const each of frames) context.output(netChannel.sent, each);
    }
    this.giveBack(queue, [{ buffer, written: 0 }]);
  }

  // Receiving.

  private fill(pair: number): void {
    const { context } = this;
    const waiting = this.waiting[pair];
    if (context === undefined || waiting === undefined || waiting.length === 0) return;
    const queue = receiveQueue(pair);
    fillBuffers(waiting, queue, context, {
      headerBytes: netHeaderBytes(this.negotiatedFeatures),
      mergeable: this.has(netFeature.MRG_RXBUF),
      giveBack: (buffers) => this.giveBack(queue, buffers),
      free: () => context.held(queue).slice(this.gathered(context, queue).length),
      delivered: (frame) => context.output(netChannel.received, frame),
    });
  }

  /** By hash where that was configured, else the pair over which the flow was sent. [5.1.9.5.6, 5.1.9.5.7] */
  private pairFor(frame: Uint8Array): number {
    const { spread: settings, pairs } = this.settings;
    if (settings !== undefined) return spread(hashOf(frame, settings), settings);
    const pair = this.flows.get(flowOf(frame, 'received') ?? '') ?? 0;
    return pair < pairs ? pair : 0;
  }

  private rememberFlow(frame: Uint8Array, pair: number): void {
    if (this.options.pairs === 1) return;
    const flow = flowOf(frame, 'sent');
    if (flow === undefined) return;
    if (this.flows.size >= maximumFlows) this.flows.clear();
    this.flows.set(flow, pair);
  }

  // Giving back.

  private giveBack(
    queue: number,
    buffers: readonly { readonly buffer: DeviceBuffer; readonly written: number }[],
  ): void {
    const { context } = this;
    if (context === undefined) return;
    const finished = this.gathered(context, queue);
    const { packets, microseconds } = gatheringOf(this.settings, queue);
    if (microseconds === 0 && finished.length === 0) {
      for (const { buffer, written } of buffers) context.complete(buffer, written);
      return;
    }
    if (finished.length === 0) context.schedule(microseconds * 1000, queue);
    finished.push(...buffers.map(({ buffer, written }) => ({ head: buffer.head, written })));
    if (packets > 0 && finished.length >= packets) this.release(queue);
  }

  /** Gives back what was gathered of a queue. */
  private release(queue: number): void {
    const { context } = this;
    if (context === undefined) return;
    const held = context.held(queue);
    for (const [i, { written }] of this.gathered(context, queue).splice(0).entries()) {
      const buffer = held[i];
      if (buffer !== undefined) context.complete(buffer, written);
    }
  }

  /** What is gathered of a queue. A queue that was reset meanwhile has lost its buffers. */
  private gathered(context: DeviceContext, queue: number): FinishedBuffer[] {
    const finished = (this.finished[queue] ??= []);
    const held = context.held(queue);
    if (finished.some(({ head }, i) => held[i]?.head !== head)) finished.length = 0;
    return finished;
  }

  // The control queue.

  private executeCommand(): void {
    const { context, control } = this;
    if (context === undefined || control === undefined) return;
    const buffer = context.next(control);
    if (buffer === undefined) return;
    if (buffer.readableLength < 2 || buffer.writableLength < 1) {
      const found = `${buffer.readableLength} device-readable and ${buffer.writableLength} device-writable bytes`;
      context.reject(buffer, `a command with ${found}`);
      return;
    }
    const bytes = buffer.read(0, Math.min(buffer.readableLength, maximumCommandBytes));
    const answer = executeControl(bytes[0] ?? 0, bytes[1] ?? 0, bytes.slice(2), this.settings, {
      features: this.negotiatedFeatures,
      maximumPairs: this.options.pairs,
      isEnabled: (queue) => queue < control && context.enabled(queue),
      resultRoom: buffer.writableLength - 1,
    });
    buffer.describe(answer.description, answer.problem === undefined ? 'OK' : `ERR: ${answer.problem}`);
    const bytesBack = Uint8Array.of(answer.ok ? controlAnswer.OK : controlAnswer.ERR, ...answer.result);
    context.complete(buffer, buffer.write(0, bytesBack));
  }

  private freshSettings(): NetSettings {
    return {
      address: this.options.address.slice(),
      announce: false,
      pairs: 1,
      filter: freshFilter(),
      offloads: 0n,
      spread: undefined,
      hash: undefined,
      gatherReceive: atOnce,
      gatherTransmit: atOnce,
      gatherQueues: {},
    };
  }
  private freshWaiting(): WaitingPacket[][] {
    return Array.from({ length: this.options.pairs }, () => []);
  }
  private freshFinished(): FinishedBuffer[][] {
    return this.queueMaximumSizes.map(() => []);
  }
}

/** Names a flow the same way in both directions. */
function flowOf(frame: Uint8Array, direction: 'sent' | 'received'): string | undefined {
  const { internet, transport } = parseFrame(frame) ?? {};
  if (internet === undefined || transport === undefined) return undefined;
  const near = `${internet.source.join()} ${transport.sourcePort}`;
  const far = `${internet.destination.join()} ${transport.destinationPort}`;
  return direction === 'sent' ? `${transport.kind} ${near} ${far}` : `${transport.kind} ${far} ${near}`;
}
