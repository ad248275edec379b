// One TCP connection of the guest, ended here: its bytes go through a stream of the host. [RFC 9293]
// Guarantees: bytes reach the other side in order and once; what is buffered is bounded by the windows of both sides.
import { tcpFlag } from '../../../emulator/network/packet';
import { ahead, nextState, plus, type TcpHappening, type TcpState, tcpStates } from './tcp-states';

/** A segment of the guest, taken apart. */
export interface GuestSegment {
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: number;
  readonly window: number;
  readonly maximumSegment: number | undefined;
  readonly windowScale: number | undefined;
  readonly data: Uint8Array;
}

/** What a connection says to the guest; the ends are known to whoever sends it. */
export interface OwnSegment {
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: number;
  readonly window: number;
  readonly options?: readonly number[];
  readonly data: Uint8Array;
}

/** The host's stream, as far as a connection needs it. */
export interface HostStream {
  /** Bytes that the host has not taken yet. */
  readonly unsentBytes: number;
  write(bytes: Uint8Array): void;
  /** No more bytes will come from the guest. */
  end(): void;
  /** Stops and lets go on what arrives. */
  pause(): void;
  resume(): void;
  destroy(): void;
}

export interface ConnectionSurroundings {
  send(segment: OwnSegment): void;
  closed(): void;
  /** Calls `retransmit` after so long, instead of any earlier request; undefined: not at all. */
  setTimer(milliseconds: number | undefined): void;
  /** Whether the machine has not even taken the frames that were sent: then nothing is lost, only late. */
  isBehind(): boolean;
}

const none = new Uint8Array(0);
/** Most bytes of one segment: the device cuts it for a driver that wants ordinary frames. */
const largestSegmentBytes = 16 * 1024;
/** What fits a frame of 1,500 bytes without options. */
const ordinarySegmentBytes = 1460;
/** Without the option, a sender has to assume this. [RFC 9293, 3.7.1] */
const defaultSegmentBytes = 536;
const greatestUnread = 512 * 1024;
const greatestUnsent = 256 * 1024;
const ownWindowScale = 3;
const firstTimeoutMilliseconds = 1_000;
const greatestRetries = 8;

export class TcpConnection {
  state: TcpState = 'CONNECTING';
  /** Next byte expected of the guest. */
  private receiveNext: number;
  private sendUnacknowledged: number;
  private sendNext: number;
  /** Behind the last byte ever sent: what is sent again was acknowledged perhaps already. */
  private greatestSent: number;
  private guestWindow: number;
  private readonly guestScale: number | undefined;
  private readonly segmentBytes: number;
  /** Bytes of the host from `sendUnacknowledged` on. */
  private readonly chunks: Uint8Array[] = [];
  private bufferedBytes = 0;
  private hostEnded = false;
  private finSequence: number | undefined;
  private paused = false;
  private retries = 0;
  /** Bytes that may be under way: few after a loss, until the guest has answered. */
  private burst = Number.MAX_SAFE_INTEGER;
  private advertised = 0;

  /** @param syn the guest's first segment; @param initialSequence of this side */
  constructor(
    private readonly host: HostStream,
    private readonly around: ConnectionSurroundings,
    syn: GuestSegment,
    initialSequence: number,
  ) {
    this.receiveNext = plus(syn.sequence, 1);
    this.sendUnacknowledged = initialSequence;
    this.sendNext = initialSequence;
    this.greatestSent = initialSequence;
    this.guestScale = syn.windowScale === undefined ? undefined : Math.min(14, syn.windowScale);
    this.guestWindow = syn.window;
    const maximum = Math.max(64, syn.maximumSegment ?? defaultSegmentBytes);
    this.segmentBytes = maximum >= ordinarySegmentBytes ? largestSegmentBytes : maximum;
  }

  // What the host does.

  hostConnected(): void {
    if (this.state !== 'CONNECTING') return;
    this.happen('host connected');
    this.sendSynchronise();
  }

  hostData(bytes: Uint8Array): void {
    if (this.hostEnded || this.state === 'CLOSED') return;
    this.chunks.push(bytes);
    this.bufferedBytes += bytes.length;
    if (!this.paused && this.bufferedBytes > greatestUnread) {
      this.paused = true;
      this.host.pause();
    }
    this.push();
  }

  hostFinished(): void {
    this.hostEnded = true;
    this.push();
  }

  /** The host took bytes: the guest may send more. */
  hostDrained(): void {
    if (tcpStates[this.state].receives && this.window() - this.advertised >= ordinarySegmentBytes * 2)
      this.acknowledge();
  }

  /** The connection is gone, or never came to be. */
  hostFailed(): void {
    if (this.state === 'CLOSED') return;
    const flags = tcpFlag.RST | tcpFlag.ACK;
    this.around.send({ sequence: this.sendNext, acknowledgement: this.receiveNext, flags, window: 0, data: none });
    this.happen('reset');
  }

  // What the guest does.

  segment(segment: GuestSegment): void {
    if (this.state === 'CLOSED') return;
    const offset = ahead(segment.sequence, this.receiveNext);
    if ((segment.flags & tcpFlag.RST) !== 0) {
      // Only a reset at the expected place is believed. [RFC 9293, 3.5.3]
      if (offset === 0 || this.state === 'CONNECTING') this.happen('reset');
      return;
    }
    if ((segment.flags & tcpFlag.SYN) !== 0) {
      // The guest repeats its SYN because ours has not reached it.
      if (this.state === 'SYN-RECEIVED') this.sendSynchronise();
      else if (this.state !== 'CONNECTING') this.acknowledge();
      return;
    }
    if (this.state === 'CONNECTING' || (segment.flags & tcpFlag.ACK) === 0) return;
    if (!this.takeAcknowledgement(segment)) return;
    this.takeData(segment, offset);
    this.push();
  }

  /** False when the segment is not to be looked at any further. */
  private takeAcknowledgement({ acknowledgement, window }: GuestSegment): boolean {
    const gained = ahead(acknowledgement, this.sendUnacknowledged);
    if (ahead(acknowledgement, this.greatestSent) > 0) {
      this.acknowledge();
      return false;
    }
    this.guestWindow = window * 2 ** (this.guestScale ?? 0);
    if (gained <= 0) return true;
    this.retries = 0;
    this.burst = Number.MAX_SAFE_INTEGER;
    this.sendUnacknowledged = acknowledgement;
    if (ahead(acknowledgement, this.sendNext) > 0) this.sendNext = acknowledgement;
    // SYN and FIN take a place in the sequence and are no bytes.
    const opens = this.state === 'SYN-RECEIVED';
    this.drop(opens || this.finAcknowledged() ? gained - 1 : gained);
    if (opens) this.happen('our SYN acknowledged');
    if (this.finAcknowledged()) this.happen('our FIN acknowledged');
    return this.isOpen();
  }

  private isOpen(): boolean {
    return this.state !== 'CLOSED';
  }

  private takeData({ data, flags }: GuestSegment, offset: number): void {
    const hasFin = (flags & tcpFlag.FIN) !== 0;
    if (data.length === 0 && !hasFin) {
      // A probe of a closed window, or a keep-alive, wants an answer.
      if (offset < 0) this.acknowledge();
      return;
    }
    // What is behind was seen before, what is ahead follows a segment that was not taken: the guest will send it again.
    const fresh = offset <= 0 ? data.subarray(Math.min(data.length, -offset)) : none;
    const taken = tcpStates[this.state].receives ? fresh.subarray(0, this.window()) : none;
    if (taken.length > 0) {
      this.receiveNext = plus(this.receiveNext, taken.length);
      this.host.write(taken);
    }
    const reachesFin = offset <= 0 && -offset <= data.length && taken.length === fresh.length;
    if (hasFin && reachesFin && tcpStates[this.state].receives) {
      this.receiveNext = plus(this.receiveNext, 1);
      this.host.end();
      this.acknowledge();
      this.happen('guest FIN');
    } else this.acknowledge();
  }

  // Sending.

  /** Nothing was acknowledged for a while: everything from there on is sent again. */
  retransmit(): void {
    if (this.state === 'CLOSED' || this.state === 'CONNECTING') return;
    if (this.around.isBehind()) {
      this.armTimer();
      return;
    }
    // A closed window is asked about for ever; lost segments are not.
    if (this.guestWindow > 0) this.retries++;
    if (this.retries > greatestRetries) {
      this.host.destroy();
      this.hostFailed();
    } else if (this.state === 'SYN-RECEIVED') this.sendSynchronise();
    else {
      this.sendNext = this.sendUnacknowledged;
      this.burst = this.segmentBytes;
      if (this.guestWindow === 0 && this.bufferedBytes > 0) this.sendSegment(this.sendNext, this.bytesFrom(0, 1));
      this.push();
    }
  }

  /** Sends what the guest's window allows, and the FIN behind the last byte. */
  private push(): void {
    if (!tcpStates[this.state].sends) return;
    for (;;) {
      const sent = ahead(this.sendNext, this.sendUnacknowledged);
      const room = Math.min(this.guestWindow - sent, this.bufferedBytes - sent, this.burst - sent, this.segmentBytes);
      if (room <= 0) break;
      this.sendSegment(this.sendNext, this.bytesFrom(sent, room));
      this.advance(room);
    }
    if (
      this.hostEnded &&
      ahead(this.sendNext, this.sendUnacknowledged) === this.bufferedBytes &&
      !this.finAcknowledged()
    ) {
      this.finSequence = this.sendNext;
      this.sendWith(this.finSequence, tcpFlag.FIN | tcpFlag.ACK, none);
      this.advance(1);
      this.happen('our FIN sent');
    }
    this.armTimer();
  }

  private advance(count: number): void {
    this.sendNext = plus(this.sendNext, count);
    if (ahead(this.sendNext, this.greatestSent) > 0) this.greatestSent = this.sendNext;
  }

  private finAcknowledged(): boolean {
    return this.finSequence !== undefined && ahead(this.sendUnacknowledged, this.finSequence) > 0;
  }

  private sendSynchronise(): void {
    const scale = this.guestScale === undefined ? [] : [1, 3, 3, ownWindowScale];
    const options = [2, 4, ordinarySegmentBytes >> 8, ordinarySegmentBytes & 0xff, ...scale];
    const window = Math.min(0xffff, this.window());
    this.around.send({
      sequence: this.sendUnacknowledged,
      acknowledgement: this.receiveNext,
      flags: tcpFlag.SYN | tcpFlag.ACK,
      window,
      options,
      data: none,
    });
    this.advertised = window;
    this.sendNext = this.sendUnacknowledged;
    this.advance(1);
    this.armTimer();
  }

  private sendSegment(sequence: number, data: Uint8Array): void {
    this.sendWith(sequence, tcpFlag.ACK | tcpFlag.PSH, data);
  }

  private acknowledge(): void {
    this.sendWith(this.sendNext, tcpFlag.ACK, none);
  }

  private sendWith(sequence: number, flags: number, data: Uint8Array): void {
    const scale = this.guestScale === undefined ? 0 : ownWindowScale;
    const window = Math.min(0xffff, this.window() >> scale);
    this.advertised = window << scale;
    this.around.send({ sequence, acknowledgement: this.receiveNext, flags, window, data });
  }

  /** Bytes that the guest may send now. */
  private window(): number {
    return Math.max(0, greatestUnsent - this.host.unsentBytes);
  }

  private armTimer(): void {
    const waits = this.state !== 'CLOSED' && (this.sendNext !== this.sendUnacknowledged || this.bufferedBytes > 0);
    this.around.setTimer(waits ? firstTimeoutMilliseconds * 2 ** Math.min(6, this.retries) : undefined);
  }

  // The bytes in between.

  private bytesFrom(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.bufferedBytes - offset)));
    let start = -offset;
    for (const chunk of this.chunks) {
      if (start >= bytes.length) break;
      if (start + chunk.length > 0)
        bytes.set(chunk.subarray(Math.max(0, -start), bytes.length - start), Math.max(0, start));
      start += chunk.length;
    }
    return bytes;
  }

  /** Forgets bytes that the guest has. */
  private drop(count: number): void {
    let rest = Math.min(count, this.bufferedBytes);
    this.bufferedBytes -= rest;
    while (rest > 0) {
      const [first] = this.chunks;
      if (first === undefined) break;
      if (first.length <= rest) this.chunks.shift();
      else this.chunks[0] = first.subarray(rest);
      rest -= Math.min(rest, first.length);
    }
    if (this.paused && this.bufferedBytes < greatestUnread / 4) {
      this.paused = false;
      this.host.resume();
    }
  }

  private happen(happening: TcpHappening): void {
    this.state = nextState(this.state, happening);
    if (this.state !== 'CLOSED') return;
    this.around.setTimer(undefined);
    if (happening === 'reset') this.host.destroy();
    this.around.closed();
  }
}
