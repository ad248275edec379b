// Explanations of the rules about receiving, the configuration and the control queue of network devices. [virtio 1.4, 5.1.4.2, 5.1.9.3.1, 5.1.9.5]
// `command(class, number, data, bytes)` sends one command and gives back the answer.
import type { ExplanationTable } from './explanation';

const room = `uint8_t *buffer = allocate(header_length() + 1514);
publish(receive, writable(buffer, header_length() + 1514));`;

const steering = `rss->indirection_table_mask = entries - 1; /* entries is a power of two */
for (i = 0; i < entries; i++) rss->indirection_table[i] = i % pairs_in_use;
rss->unclassified_queue = 0;`;

export const netReceiveControlExplanations: ExplanationTable = {
  'net.receive-readable': {
    demanded: 'Buffers of receive queues are device-writable, all of them.',
    hardware:
      'QEMU breaks the device: a receive queue without room to write is a guest error. Others skip the buffer, and the queue shrinks.',
    wrong: `publish(receive, readable(buffer, bytes));`,
    right: `publish(receive, writable(buffer, bytes));`,
  },
  'net.receive-header-room': {
    demanded: 'The first buffer of a packet has room for the whole header.',
    hardware:
      'A device that cannot place the header drops the packet; with hash reports the header has 20 bytes, and buffers made for 12 begin to fail.',
    wrong: `publish(receive, writable(buffer, 10));`,
    right: room,
  },
  'net.receive-buffer-small': {
    demanded:
      'Without mergeable buffers each receive buffer holds the largest packet that was agreed on, and the header.',
    hardware:
      'Short packets arrive, long ones do not. A buffer of 1,514 bytes is 12 too short for a full frame and shows only when somebody sends one; with GUEST_TSO4 accepted it takes 65,589 bytes and the header.',
    wrong: `publish(receive, writable(buffer, 1514)); /* header forgotten */`,
    right: room,
  },
  'net.config-written': {
    demanded: 'The configuration of a modern network device is only read.',
    hardware:
      'QEMU lets legacy drivers set mac this way and ignores modern ones. The interface keeps the old address and filters the answers away.',
    wrong: `for (i = 0; i < 6; i++) write_config8(MAC + i, address[i]);`,
    right: `command(CLASS_MAC, MAC_ADDR_SET, address, 6);`,
  },
  'net.mac-declined': {
    demanded: 'VIRTIO_NET_F_MAC is accepted when it is offered.',
    hardware:
      'Switches of virtual networks know the address that was given. Packets from a random one are dropped as spoofed.',
    wrong: `understood = F_VERSION_1 | NET_F_STATUS;
random_address(address);`,
    right: `understood = F_VERSION_1 | NET_F_STATUS | NET_F_MAC;`,
  },
  'net.mtu-declined': {
    demanded: 'VIRTIO_NET_F_MTU is accepted when it is offered.',
    hardware:
      'Whoever offers it has a path that carries less, or more, than 1,500 bytes. Packets that are too long are lost without a message.',
    wrong: `understood = F_VERSION_1 | NET_F_MAC;`,
    right: `understood = F_VERSION_1 | NET_F_MAC | NET_F_MTU;
if (accepted & NET_F_MTU) interface->mtu = read_config16(MTU);`,
  },
  'net.standby-declined': {
    demanded: 'VIRTIO_NET_F_STANDBY is accepted when it is offered.',
    hardware:
      'Live migration takes the passed-through card away and leaves this device to carry on. A driver that declines loses its connections there, and QEMU may never show it the card at all.',
    wrong: `understood = F_VERSION_1 | NET_F_MAC;`,
    right: `understood = F_VERSION_1 | NET_F_MAC | NET_F_STANDBY;
if (accepted & NET_F_STANDBY) pair_with_primary(address);`,
  },
  'net.hash-report-without-control': {
    demanded: 'VIRTIO_NET_F_HASH_REPORT is taken together with VIRTIO_NET_F_CTRL_VQ.',
    hardware:
      'The header grows by eight bytes, and nothing can tell the device which hash to put there: they stay zero.',
    wrong: `understood = F_VERSION_1 | NET_F_HASH_REPORT;`,
    right: `if (!(offered & NET_F_CTRL_VQ)) understood &= ~NET_F_HASH_REPORT;
else understood |= NET_F_CTRL_VQ;`,
  },
  'net.receive-modes-without-control': {
    demanded: 'VIRTIO_NET_F_CTRL_RX_EXTRA is taken together with VIRTIO_NET_F_CTRL_VQ.',
    hardware:
      'The modes are set by commands only; without the queue the interface stays as the device began, in QEMU promiscuous.',
    wrong: `understood = F_VERSION_1 | NET_F_CTRL_RX_EXTRA;`,
    right: `understood = F_VERSION_1 | NET_F_CTRL_VQ | NET_F_CTRL_RX | NET_F_CTRL_RX_EXTRA;
understood &= offered;`,
  },
  'net.command-framing': {
    demanded: 'A command is class, command and data in device-readable memory, then one device-writable byte.',
    hardware:
      'QEMU breaks the whole device for missing headers: the network dies with the first attempt to set a filter.',
    wrong: `chain(readable(&command, 2), readable(&ack, 1));`,
    right: `chain(readable(&command, 2), readable(data, bytes), writable(&ack, 1));`,
  },
  'net.command-not-negotiated': {
    demanded: 'Each class of commands is used only with its feature.',
    hardware: 'The answer is VIRTIO_NET_ERR. A driver that does not read the answer believes that the filter is set.',
    wrong: `command(CLASS_VLAN, VLAN_ADD, &vlan, 2);`,
    right: `if (accepted & NET_F_CTRL_VLAN) command(CLASS_VLAN, VLAN_ADD, &vlan, 2);`,
  },
  'net.command-unknown': {
    demanded: 'Class and command are values that the specification defines, in this order.',
    hardware: 'VIRTIO_NET_ERR, from every device. Mostly the two bytes changed places.',
    wrong: `struct { uint8_t command, class; } header = { MAC_ADDR_SET, CLASS_MAC };`,
    right: `struct { uint8_t class, command; } header = { CLASS_MAC, MAC_ADDR_SET };`,
  },
  'net.command-length': {
    demanded: 'The data of a command has exactly the length of its structure.',
    hardware:
      'QEMU refuses the command. A structure that the compiler padded is one way to get there, sizeof of a pointer another.',
    wrong: `command(CLASS_MAC, MAC_ADDR_SET, address, sizeof(address)); /* 8: a pointer */`,
    right: `command(CLASS_MAC, MAC_ADDR_SET, address, 6);`,
  },
  'net.mode-value': {
    demanded: 'A receive mode is switched with 1 or 0.',
    hardware: 'QEMU takes any other value for on; a device in hardware may test bit 0, and -1 or 2 then differ.',
    wrong: `on = flags & IFF_PROMISC; /* 0x100, cut to 0 */
command(CLASS_RX, RX_PROMISC, &on, 1);`,
    right: `on = (flags & IFF_PROMISC) != 0;
command(CLASS_RX, RX_PROMISC, &on, 1);`,
  },
  'net.address-table-framing': {
    demanded:
      'An address table holds two lists, unicast and multicast, each with its number in front, even when it is empty.',
    hardware:
      'The device reads the second number from the middle of an address. QEMU answers VIRTIO_NET_ERR, and multicast, IPv6 neighbours included, stays away.',
    wrong: `put_le32(table, 0);
send_table(table, 4); /* multicast list left out */`,
    right: `put_le32(table, 0);
put_le32(table + 4, count);
memcpy(table + 8, addresses, count * 6);
send_table(table, 8 + count * 6);`,
  },
  'net.pairs-out-of-range': {
    demanded: 'At least 1 and at most max_virtqueue_pairs pairs are asked for.',
    hardware:
      'VIRTIO_NET_ERR; the device goes on with the pairs it had, while the driver spreads its packets over more.',
    wrong: `pairs = processors;`,
    right: `pairs = min(processors, read_config16(MAX_VIRTQUEUE_PAIRS));`,
  },
  'net.pairs-not-configured': {
    demanded: 'All queues of the pairs are enabled before the command that puts them to use.',
    hardware:
      'On modern devices queues are enabled before DRIVER_OK, so a command for others cannot be mended later: packets steered there are lost.',
    wrong: `enable_pair(0);
set_queue_pairs(4);`,
    right: `for (i = 0; i < 4; i++) enable_pair(i);
write32(Status, status | DRIVER_OK);
set_queue_pairs(4);`,
  },
  'net.spread-table-size': {
    demanded: 'The steering table has a power of two of entries, and the mask is one less.',
    hardware:
      'Hardware ANDs the hash with the mask. With 5 entries and a mask of 4 two queues get everything; QEMU refuses the command.',
    wrong: `entries = pairs; /* 3 */
rss->indirection_table_mask = entries - 1;`,
    right: steering,
  },
  'net.spread-table-long': {
    demanded: 'The table is at most rss_max_indirection_table_length entries long.',
    hardware: 'Cards have room for 128, or for 64. The command fails, and all flows stay on one queue.',
    wrong: `entries = 512;`,
    right: `entries = min(128, read_config16(RSS_MAX_TABLE_LENGTH));`,
  },
  'net.spread-queue': {
    demanded: 'Table and unclassified_queue name enabled receive queues, numbered from 0.',
    hardware:
      'Virtqueue indices, 0, 2, 4, are a frequent mistake: half the flows go to queues that do not exist, and nobody reports a drop.',
    wrong: `rss->indirection_table[i] = 2 * (i % pairs); /* virtqueue index */`,
    right: steering,
  },
  'net.hash-types': {
    demanded: 'Only hash types out of supported_hash_types are asked for.',
    hardware:
      'QEMU refuses the whole command for one unknown bit; devices that accept it leave such packets unhashed on one queue.',
    wrong: `rss->hash_types = ALL_HASH_TYPES;`,
    right: `rss->hash_types = wanted & read_config32(SUPPORTED_HASH_TYPES);`,
  },
  'net.offload-not-negotiated': {
    demanded: 'Offloads are switched on at run time only if their feature was accepted.',
    hardware: 'A device that obeys sends merged packets of 64 KiB into buffers for 1,514 bytes.',
    wrong: `offloads = GUEST_CSUM | GUEST_TSO4 | GUEST_TSO6;`,
    right: `offloads = (GUEST_CSUM | GUEST_TSO4 | GUEST_TSO6) & accepted;`,
  },
  'net.coalescing-queue': {
    demanded: 'Coalescing is set for an enabled receive or transmit queue, by its virtqueue index.',
    hardware: 'VIRTIO_NET_ERR, or the parameters of another queue: latency grows where nobody looked for it.',
    wrong: `data.vq_index = pair; /* receiveq of that pair meant */`,
    right: `data.vq_index = 2 * pair;`,
  },
  'net.coalescing-answer-room': {
    demanded: 'VIRTIO_NET_CTRL_NOTF_COAL_VQ_GET has nine device-writable bytes: the answer, max_packets and max_usecs.',
    hardware: 'VIRTIO_NET_ERR; a driver that does not look takes whatever its memory held for the parameters.',
    wrong: `add_readable(&request, 4); add_writable(&ack, 1);`,
    right: `add_readable(&request, 4); add_writable(&ack, 1); add_writable(&coal, 8);`,
  },
  'net.tunnel-types': {
    demanded: 'Only tunnel types out of supported_tunnel_types are asked for.',
    hardware: 'The command fails; packets of all tunnels go to one queue.',
    wrong: `data.enabled_tunnel_types = TUNNEL_VXLAN | TUNNEL_GENEVE;`,
    right: `data.enabled_tunnel_types = wanted & read_config32(SUPPORTED_TUNNEL_TYPES);`,
  },
  'net.link-unread': {
    demanded: 'After a configuration change notification the driver reads speed and duplex again.',
    hardware:
      'A link that came back slower is still believed to be fast: bonds choose the wrong card, queues are sized for another rate.',
    wrong: `void config_changed(void) {
    link_up = read_config16(STATUS) & S_LINK_UP;
}`,
    right: `void config_changed(void) {
    link_up = read_config16(STATUS) & S_LINK_UP;
    speed = read_config32(SPEED);
    duplex = read_config8(DUPLEX);
}`,
  },
  'net.announce-unanswered': {
    demanded:
      'After VIRTIO_NET_S_ANNOUNCE the driver announces itself and acknowledges with VIRTIO_NET_CTRL_ANNOUNCE_ACK.',
    hardware:
      'Hosts ask after a live migration. Without the announcement the switch sends to the old machine until its table ages, for minutes; without the acknowledge the next migration asks in vain.',
    wrong: `if (read_config16(STATUS) & S_ANNOUNCE) send_gratuitous_arp();`,
    right: `if (read_config16(STATUS) & S_ANNOUNCE) {
    send_gratuitous_arp();
    command(CLASS_ANNOUNCE, ANNOUNCE_ACK, NULL, 0);
}`,
  },
};
