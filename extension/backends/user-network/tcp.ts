// The guest's TCP connections through sockets of the host. [RFC 9293]
// Guarantees: their number is bounded; a segment of no connection is answered with a reset; nothing the guest sends throws.
import * as net from 'node:net';
import { type Packet, read16, read32, tcpFlag } from '../../../emulator/network/packet';
import type { Route, TcpSegment } from './wire';
import { type GuestSegment, type HostStream, type OwnSegment, TcpConnection } from './tcp-connection';
import { plus } from './tcp-states';

const greatestConnections = 512;

export interface TcpSurroundings {
  send(route: Route, segment: TcpSegment): void;
  /** Dotted address on the host's side; undefined: nobody is there. */
  hostOf(destination: Uint8Array): string | undefined;
  isBehind(): boolean;
  /** Opens a stream; tests give their own. */
  connect(host: string, port: number): net.Socket;
}

interface Open {
  readonly connection: TcpConnection;
  readonly socket: net.Socket;
  timer: NodeJS.Timeout | undefined;
}

export function connectHost(host: string, port: number): net.Socket {
  const socket = net.connect({ host, port, allowHalfOpen: true });
  socket.setNoDelay(true);
  return socket;
}

export class TcpConnections {
  private readonly open = new Map<string, Open>();
  private nextSequence = 0x1000;

  constructor(private readonly around: TcpSurroundings) {}

  get isBusy(): boolean {
    return this.open.size > 0;
  }

  /** A frame of the guest with a TCP header. */
  receive(frame: Uint8Array, packet: Packet): void {
    const { internet, transport } = packet;
    if (internet === undefined || transport?.kind !== 'tcp') return;
    const segment = readSegment(frame, packet);
    const route = { link: frame.slice(6, 12), source: internet.destination, destination: internet.source };
    const ports = { sourcePort: transport.destinationPort, destinationPort: transport.sourcePort };
    const send = (own: OwnSegment): void => this.around.send(route, { ...ports, ...own });
    const key = `${internet.source.join('.')} ${transport.sourcePort} ${internet.destination.join('.')} ${transport.destinationPort}`;
    const known = this.open.get(key);
    if (known !== undefined) known.connection.segment(segment);
    else if ((segment.flags & (tcpFlag.SYN | tcpFlag.ACK | tcpFlag.RST)) === tcpFlag.SYN) {
      const host = this.around.hostOf(internet.destination);
      if (host === undefined || transport.destinationPort === 0 || this.open.size >= greatestConnections)
        send(refusal(segment));
      else this.connect(key, host, transport.destinationPort, segment, send);
    } else if ((segment.flags & tcpFlag.RST) === 0) send(refusal(segment));
  }

  close(): void {
    for (const { socket, timer } of this.open.values()) {
      clearTimeout(timer);
      socket.destroy();
    }
    this.open.clear();
  }

  private connect(key: string, host: string, port: number, syn: GuestSegment, send: (own: OwnSegment) => void): void {
    const socket = this.around.connect(host, port);
    const stream: HostStream = {
      get unsentBytes() {
        return socket.writableLength;
      },
      write: (bytes) => void socket.write(bytes),
      end: () => void socket.end(),
      pause: () => void socket.pause(),
      resume: () => void socket.resume(),
      destroy: () => void socket.resetAndDestroy(),
    };
    const connection: TcpConnection = new TcpConnection(
      stream,
      {
        send,
        closed: () => {
          clearTimeout(entry.timer);
          if (this.open.get(key) === entry) this.open.delete(key);
        },
        setTimer: (milliseconds) => {
          clearTimeout(entry.timer);
          entry.timer =
            milliseconds === undefined ? undefined : setTimeout(() => connection.retransmit(), milliseconds);
          entry.timer?.unref();
        },
        isBehind: () => this.around.isBehind(),
      },
      syn,
      this.nextSequence,
    );
    const entry: Open = { connection, socket, timer: undefined };
    // The same for the same order of connections, so that replies are as deterministic as the host lets them be.
    this.nextSequence = plus(this.nextSequence, 0x10_0000);
    this.open.set(key, entry);
    socket.on('connect', () => connection.hostConnected());
    socket.on('data', (bytes: Uint8Array) => connection.hostData(new Uint8Array(bytes)));
    socket.on('end', () => connection.hostFinished());
    socket.on('drain', () => connection.hostDrained());
    socket.on('error', () => connection.hostFailed());
  }
}

/** What a segment that belongs to no connection gets. [RFC 9293, 3.10.7.1] */
function refusal(segment: GuestSegment): OwnSegment {
  const occupies = segment.data.length + ((segment.flags & (tcpFlag.SYN | tcpFlag.FIN)) === 0 ? 0 : 1);
  const isAcknowledging = (segment.flags & tcpFlag.ACK) !== 0;
  return {
    sequence: isAcknowledging ? segment.acknowledgement : 0,
    acknowledgement: isAcknowledging ? 0 : plus(segment.sequence, occupies),
    flags: isAcknowledging ? tcpFlag.RST : tcpFlag.RST | tcpFlag.ACK,
    window: 0,
    data: new Uint8Array(0),
  };
}

/** Options of a SYN. [RFC 9293, 3.2; RFC 7323] */
const optionKind = { end: 0, nothing: 1, maximumSegment: 2, windowScale: 3 } as const;

function readSegment(frame: Uint8Array, { internet, transport }: Packet): GuestSegment {
  const at = transport?.offset ?? 0;
  const start = at + (transport?.headerBytes ?? 0);
  let maximumSegment: number | undefined;
  let windowScale: number | undefined;
  for (let i = at + 20; i < start;) {
    const kind = frame[i] ?? optionKind.end;
    if (kind === optionKind.end) break;
    const length = kind === optionKind.nothing ? 1 : Math.max(2, frame[i + 1] ?? 2);
    if (kind === optionKind.maximumSegment && length === 4) maximumSegment = read16(frame, i + 2);
    if (kind === optionKind.windowScale && length === 3) windowScale = frame[i + 2];
    i += length;
  }
  return {
    sequence: read32(frame, at + 4),
    acknowledgement: read32(frame, at + 8),
    flags: frame[at + 13] ?? 0,
    window: read16(frame, at + 14),
    maximumSegment,
    windowScale,
    data: frame.slice(start, internet?.end ?? start),
  };
}
