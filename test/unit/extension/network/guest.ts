// The guest's end of the user network, as far as tests need one: it sends frames, keeps what comes, and speaks a little TCP.
import { parseFrame, read16, read32, tcpFlag } from '../../../../emulator/network/packet';
import type { NetworkLink } from '../../../../extension/backends/network';
import { UserNetwork, type UserNetworkOptions } from '../../../../extension/backends/user-network/user-network';
import { type Ends, tcp } from '../../../driver/frames';

export const guestLink = [0x52, 0x54, 0, 0x12, 0x34, 0x56] as const;
export const gatewayLink = [0x52, 0x55, 10, 0, 2, 2] as const;
export const toGateway: Ends = { to: gatewayLink, from: guestLink, source: [10, 0, 2, 15], destination: [10, 0, 2, 2] };

/** Waits for a condition that a socket of the host brings about. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    if (turn === 20_000) throw new Error(`${what} did not come about`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

export class NetworkGuest {
  readonly frames: Uint8Array[] = [];
  readonly network: UserNetwork;
  /** Whether a frame to the guest is lost. */
  loses: (frame: Uint8Array) => boolean = () => false;

  constructor(options: UserNetworkOptions = {}) {
    const link: NetworkLink = {
      deliver: (frame) => {
        if (!this.loses(frame)) this.frames.push(frame);
      },
      backlog: 0,
    };
    this.network = new UserNetwork(link, options);
  }

  send(frame: Uint8Array): void {
    this.network.send(frame);
  }
  /** Takes what came. */
  take(): Uint8Array[] {
    return this.frames.splice(0);
  }
}

/** Payload of the UDP datagram in a frame. */
export function datagram(frame: Uint8Array | undefined): Uint8Array {
  const { internet, transport } = parseFrame(frame ?? new Uint8Array(0)) ?? {};
  if (frame === undefined || internet === undefined || transport === undefined) return new Uint8Array(0);
  return frame.slice(transport.offset + transport.headerBytes, internet.end);
}

/** One TCP connection of the guest: takes what is in order, acknowledges, and sends everything again when asked to. */
export class GuestStream {
  readonly received: number[] = [];
  state: 'connecting' | 'open' | 'reset' = 'connecting';
  finished = false;
  private next = 0;
  private sequence = 0xffff_fff0;
  private peerWindow = 0;
  private acknowledged = 0xffff_fff1;
  private outgoing: Uint8Array = new Uint8Array(0);
  private hasFin = false;

  constructor(
    private readonly guest: NetworkGuest,
    private readonly port: number,
    private readonly ends: Ends = toGateway,
    private readonly sourcePort = 40_000,
    private readonly window = 0xffff,
  ) {}

  connect(options: readonly number[] = [2, 4, 0x05, 0xb4]): void {
    this.emit(tcpFlag.SYN, this.sequence, new Uint8Array(0), options);
    this.sequence = (this.sequence + 1) >>> 0;
  }
  write(bytes: Uint8Array): void {
    this.outgoing = Uint8Array.from([...this.outgoing, ...bytes]);
    this.push();
  }
  finish(): void {
    this.hasFin = true;
    this.push();
  }
  reset(): void {
    this.emit(tcpFlag.RST | tcpFlag.ACK, this.sequence, new Uint8Array(0));
  }
  get sentAll(): boolean {
    return this.acknowledgedBytes() === this.outgoing.length + (this.hasFin ? 1 : 0);
  }

  /** Looks at everything that arrived for the connection. */
  poll(): void {
    for (const frame of this.guest.take()) this.receive(frame);
  }
  /** Sends again what has not been acknowledged. */
  push(): void {
    if (this.state !== 'open') return;
    const done = this.acknowledgedBytes();
    for (let at = done; at < this.outgoing.length && at - done < this.peerWindow; at += 1000) {
      this.emit(tcpFlag.ACK, this.at(at), this.outgoing.subarray(at, Math.min(at + 1000, done + this.peerWindow)));
    }
    if (this.hasFin && done <= this.outgoing.length) {
      this.emit(tcpFlag.ACK | tcpFlag.FIN, this.at(this.outgoing.length), new Uint8Array(0));
    }
  }

  private at(offset: number): number {
    return (0xffff_fff1 + offset) >>> 0;
  }
  private acknowledgedBytes(): number {
    return (this.acknowledged - 0xffff_fff1) >>> 0;
  }

  private receive(frame: Uint8Array): void {
    const { internet, transport } = parseFrame(frame) ?? {};
    if (internet === undefined || transport?.kind !== 'tcp' || transport.destinationPort !== this.sourcePort) return;
    const flags = frame[transport.offset + 13] ?? 0;
    const sequence = read32(frame, transport.offset + 4);
    if ((flags & tcpFlag.RST) !== 0) {
      this.state = 'reset';
      return;
    }
    this.peerWindow = read16(frame, transport.offset + 14);
    this.acknowledged = read32(frame, transport.offset + 8);
    if ((flags & tcpFlag.SYN) !== 0) {
      this.next = (sequence + 1) >>> 0;
      this.state = 'open';
      this.emit(tcpFlag.ACK, this.sequence, new Uint8Array(0));
      return;
    }
    const data = frame.subarray(transport.offset + transport.headerBytes, internet.end);
    const hasFin = (flags & tcpFlag.FIN) !== 0;
    if (data.length === 0 && !hasFin) return;
    const behind = (this.next - sequence) | 0;
    if (behind >= 0 && behind <= data.length) {
      const fresh = data.subarray(behind);
      this.received.push(...fresh);
      this.next = (this.next + fresh.length) >>> 0;
      if (hasFin && !this.finished) {
        this.finished = true;
        this.next = (this.next + 1) >>> 0;
      }
    }
    this.emit(tcpFlag.ACK, this.at(this.acknowledgedBytes()), new Uint8Array(0));
  }

  private emit(flags: number, sequence: number, data: Uint8Array, options: readonly number[] = []): void {
    const ports = { sourcePort: this.sourcePort, destinationPort: this.port };
    this.guest.send(
      tcp(this.ends, { ...ports, sequence, acknowledgement: this.next, flags, window: this.window, options }, data),
    );
  }
}
