// The backend `user`: a small network inside the machine's host process, with the addresses that QEMU's has. The guest gets an address by
// DHCP, the gateway answers pings and stands for the host's loopback, and UDP and TCP go through sockets of the host, without rights that
// the user does not have. IPv4 only.
// Guarantees: no frame makes it throw; nothing of the host's own network but what the guest connects to is reached.
import {
  type InternetPart,
  ipProtocol,
  etherType,
  internetPayload,
  type Packet,
  parseFrame,
  read32,
  transportChecksumHolds,
  type TransportPart,
} from '../../../emulator/network/packet';
import type { NetworkBackend, NetworkLink } from '../network';
import { broadcastLink, gatewayAddress, hostOf, nameServerAddress, sameAddress } from './addresses';
import { answerArp } from './arp';
import { answerDhcp, dhcpPorts } from './dhcp';
import { answerDns, hostResolver, type Resolver } from './dns';
import { connectHost, TcpConnections, type TcpSurroundings } from './tcp';
import { Fragments, isFragment } from './fragments';
import { TftpServer, tftpPort } from './tftp';
import { type UdpEnds, UdpFlows } from './udp';
import { PacketWriter, type Route } from './wire';

export interface UserNetworkOptions {
  /** Folder whose files TFTP serves; absolute path. Undefined: no TFTP. */
  readonly tftpFolder?: string;
  /** Name of the file that DHCP tells to load. */
  readonly bootFile?: string;
  readonly resolver?: Resolver;
  readonly connect?: TcpSurroundings['connect'];
}

const icmpType = { echoReply: 0, unreachable: 3, echoRequest: 8 } as const;
const unreachableCode = { host: 1, port: 3, prohibited: 13 } as const;
const namePort = 53;
/** Name queries under way at once. */
const greatestQueries = 64;
const allOnes = [255, 255, 255, 255] as const;

export class UserNetwork implements NetworkBackend {
  private readonly writer = new PacketWriter();
  private readonly fragments = new Fragments();
  private readonly tcp: TcpConnections;
  private readonly udp: UdpFlows;
  private readonly tftp: TftpServer | undefined;
  private readonly resolver: Resolver;
  private queries = 0;
  private closed = false;
  /** Where each datagram flow's answers go, and the packet that an error message quotes. */
  private readonly routes = new Map<string, { readonly route: Route; readonly quoted: Uint8Array }>();

  constructor(
    private readonly link: NetworkLink,
    private readonly options: UserNetworkOptions = {},
  ) {
    this.tftp = options.tftpFolder === undefined ? undefined : new TftpServer(options.tftpFolder);
    this.resolver = options.resolver ?? hostResolver;
    this.tcp = new TcpConnections({
      send: (route, segment) => this.deliver(this.writer.tcp(route, segment)),
      hostOf,
      isBehind: () => link.backlog > 0,
      connect: options.connect ?? connectHost,
    });
    this.udp = new UdpFlows({
      data: (ends, bytes) => {
        const back = this.routes.get(flowKey(ends));
        if (back !== undefined) this.deliver(this.writer.udp(back.route, ends.port, ends.guestPort, bytes));
      },
      refused: (ends) => {
        const back = this.routes.get(flowKey(ends));
        if (back !== undefined) this.unreachable(back.route, unreachableCode.port, back.quoted);
      },
    });
  }

  get isBusy(): boolean {
    return this.queries > 0 || this.tcp.isBusy || this.udp.isBusy;
  }

  send(frame: Uint8Array): void {
    const packet = parseFrame(frame);
    // Tagged frames are for networks that are not here.
    if (this.closed || packet === undefined || packet.vlan !== undefined) return;
    if (packet.etherType === etherType.arp) {
      const answer = answerArp(frame.subarray(packet.linkBytes));
      if (answer !== undefined) this.deliver([answer]);
    } else if (packet.internet?.version === 4) {
      if (!isFragment(frame, packet.internet)) this.internet(frame, packet, packet.internet);
      else {
        const whole = this.fragments.add(frame, packet.internet);
        const joined = whole === undefined ? undefined : parseFrame(whole);
        if (whole !== undefined && joined?.internet !== undefined) this.internet(whole, joined, joined.internet);
      }
    }
  }

  close(): void {
    this.closed = true;
    this.tcp.close();
    this.udp.close();
    this.routes.clear();
  }

  private deliver(frames: readonly Uint8Array[]): void {
    if (!this.closed) for (const frame of frames) this.link.deliver(frame);
  }

  private internet(frame: Uint8Array, packet: Packet, internet: InternetPart): void {
    const { transport } = packet;
    const route: Route = { link: frame.slice(6, 12), source: internet.destination, destination: internet.source };
    if (transport !== undefined && !transportChecksumHolds(frame, internet, transport)) return;
    if (transport?.kind === 'tcp') this.tcp.receive(frame, packet);
    else if (transport?.kind === 'udp') this.datagram(frame, internet, transport, route);
    else if (internet.protocol === ipProtocol.icmp) this.message(frame, internet, route);
  }

  private message(frame: Uint8Array, internet: InternetPart, route: Route): void {
    const message = internetPayload(frame, internet);
    if (message.length < 8 || message[0] !== icmpType.echoRequest) return;
    if (sameAddress(internet.destination, gatewayAddress) || sameAddress(internet.destination, nameServerAddress)) {
      this.deliver(this.writer.icmp(route, icmpType.echoReply, 0, read32(message, 4), message.subarray(8)));
    } else if (hostOf(internet.destination) !== undefined) {
      // Pinging others takes rights on the host that a program should not have.
      this.unreachable(route, unreachableCode.prohibited, frame.subarray(internet.offset));
    }
  }

  private unreachable(route: Route, code: number, packet: Uint8Array): void {
    const quoted = packet.slice(0, 28);
    this.deliver(this.writer.icmp({ ...route, source: gatewayAddress }, icmpType.unreachable, code, 0, quoted));
  }

  private datagram(frame: Uint8Array, internet: InternetPart, transport: TransportPart, route: Route): void {
    const data = frame.slice(transport.offset + transport.headerBytes, internet.end);
    const { sourcePort, destinationPort } = transport;
    const toGateway = sameAddress(internet.destination, gatewayAddress);
    if (destinationPort === dhcpPorts.server && sourcePort === dhcpPorts.client) {
      if (toGateway || sameAddress(internet.destination, allOnes)) this.dhcp(data, route);
      return;
    }
    const isNameServer = sameAddress(internet.destination, nameServerAddress);
    if (isNameServer && destinationPort === namePort) {
      this.nameQuery(data, route, sourcePort);
      return;
    }
    if (toGateway && this.tftp?.owns(sourcePort, destinationPort) === true) {
      const answer = this.tftp.answer(sourcePort, destinationPort, data);
      if (answer !== undefined) this.deliver(this.writer.udp(route, answer.port, sourcePort, answer.message));
      return;
    }
    const host = destinationPort === 0 ? undefined : hostOf(internet.destination);
    if (host === undefined || (toGateway && destinationPort === tftpPort)) {
      const isForUs = toGateway || isNameServer;
      if (isForUs) this.unreachable(route, unreachableCode.port, frame.subarray(internet.offset));
      return;
    }
    const ends: UdpEnds = { guestPort: sourcePort, destination: internet.destination, port: destinationPort };
    if (this.routes.size > 1024) this.routes.clear();
    this.routes.set(flowKey(ends), { route, quoted: frame.slice(internet.offset, internet.offset + 28) });
    this.udp.send(ends, host, data);
  }

  private dhcp(data: Uint8Array, route: Route): void {
    const answer = answerDhcp(data, this.options.bootFile);
    if (answer === undefined) return;
    const own = answer.message.slice(16, 20);
    const back: Route = answer.broadcast
      ? { link: broadcastLink, source: gatewayAddress, destination: allOnes }
      : {
          link: route.link,
          source: gatewayAddress,
          destination: sameAddress(own, [0, 0, 0, 0]) ? route.destination : own,
        };
    this.deliver(this.writer.udp(back, dhcpPorts.server, dhcpPorts.client, answer.message));
  }

  private nameQuery(data: Uint8Array, route: Route, port: number): void {
    if (this.queries >= greatestQueries) return;
    this.queries++;
    void answerDns(data, this.resolver).then((answer) => {
      this.queries--;
      if (answer !== undefined) this.deliver(this.writer.udp(route, namePort, port, answer));
    });
  }
}

function flowKey({ guestPort, destination, port }: UdpEnds): string {
  return `${guestPort} ${destination.join('.')} ${port}`;
}
