// Datagrams of the guest through sockets of the host, one for each pair of ends. [RFC 768]
// Guarantees: the number of sockets is bounded; a socket that is silent for a while is closed.
import * as dgram from 'node:dgram';

export interface UdpEnds {
  readonly guestPort: number;
  /** Four bytes, as the guest addressed them. */
  readonly destination: Uint8Array;
  readonly port: number;
}

/** What comes back for a flow. */
export interface UdpListener {
  data(ends: UdpEnds, bytes: Uint8Array): void;
  /** Nobody listens there. */
  refused(ends: UdpEnds): void;
}

interface Flow {
  readonly socket: dgram.Socket;
  readonly ends: UdpEnds;
  usedAt: number;
  /** Sent and not answered yet. */
  unanswered: boolean;
}

const greatestFlows = 256;
const silenceMilliseconds = 60_000;
/** How long an answer is waited for before the guest's idle time is skipped again. */
const patienceMilliseconds = 2_000;

export class UdpFlows {
  private readonly flows = new Map<string, Flow>();

  constructor(private readonly listener: UdpListener) {}

  get isBusy(): boolean {
    const now = performance.now();
    return [...this.flows.values()].some((flow) => flow.unanswered && now - flow.usedAt < patienceMilliseconds);
  }

  /** @param host dotted address on the host's side */
  send(ends: UdpEnds, host: string, bytes: Uint8Array): void {
    const flow = this.flowOf(ends, host);
    flow.usedAt = performance.now();
    flow.unanswered = true;
    flow.socket.send(bytes, ends.port, host, (error) => {
      if (error !== null) this.refuse(flow);
    });
  }

  close(): void {
    for (const { socket } of this.flows.values()) socket.close();
    this.flows.clear();
  }

  private flowOf(ends: UdpEnds, host: string): Flow {
    const key = `${ends.guestPort} ${ends.destination.join('.')} ${ends.port}`;
    const known = this.flows.get(key);
    if (known !== undefined) return known;
    this.closeSilent();
    const socket = dgram.createSocket('udp4');
    const flow: Flow = { socket, ends, usedAt: performance.now(), unanswered: true };
    this.flows.set(key, flow);
    socket.unref();
    socket.on('message', (bytes, from) => {
      // Only the end that the guest wrote to may answer.
      if (from.port !== ends.port || from.address !== host) return;
      flow.usedAt = performance.now();
      flow.unanswered = false;
      this.listener.data(ends, new Uint8Array(bytes));
    });
    socket.on('error', () => {
      this.refuse(flow);
      if (this.flows.get(key) === flow) this.flows.delete(key);
      socket.close();
    });
    return flow;
  }

  private refuse(flow: Flow): void {
    flow.unanswered = false;
    this.listener.refused(flow.ends);
  }

  /** Makes room for one more. */
  private closeSilent(): void {
    const now = performance.now();
    const byAge = [...this.flows].sort(([, a], [, b]) => a.usedAt - b.usedAt);
    for (const [key, flow] of byAge) {
      if (now - flow.usedAt < silenceMilliseconds && this.flows.size < greatestFlows) return;
      flow.socket.close();
      this.flows.delete(key);
    }
  }
}
