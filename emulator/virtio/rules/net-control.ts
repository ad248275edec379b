// Rules of commands on the control queue of a network device, judged as they are published. [virtio 1.4, 5.1.9.5]
import type { ChainElement } from '../../record/events';
import { addressBytes } from '../../network/packet';
import { deviceId } from '../spec/device-id';
import { bitsOf, featureName, hasFeature } from '../spec/feature';
import { netFeature } from '../spec/net';
import {
  controlClass,
  gatheringBytes,
  hashConfigFixedBytes,
  offloadFeatures,
  rssFixedBytes,
} from '../spec/net-control';
import { handlerWindowNanoseconds } from '../watch/waiting';
import { hasPassed, milliseconds } from './absence';
import { elementFinding, elementPlace, type Publish } from './chain-evidence';
import { hex, seen } from './evidence';
import { isReadable, readSentCommand, roleOf, type SentCommand, usablePairs } from './net-request';
import { type Finding, rule, type Rule, type RuleContext, type RuleTexts } from './rule';

type Texts = Pick<RuleTexts, 'id' | 'title' | 'why' | 'fix' | 'level' | 'covers' | 'section'> &
  Partial<Pick<RuleTexts, 'follows' | 'blames'>>;
type Judge = (
  command: SentCommand,
  at: RuleContext,
) => undefined | string | readonly [string, ChainElement | undefined];

/** A rule about each command. A message with an element is blamed on the store of that element's length. */
function commandRule(texts: Texts, judge: Judge): Rule {
  return rule('net', {
    blames: 'publish',
    ...texts,
    needs: { device: deviceId.net, feature: netFeature.CTRL_VQ },
    on: ['publish'],
    broken: (fact, at) => {
      if (roleOf(at.device, fact.queue) !== 'control') return false;
      return fact.chains.filter(isReadable).flatMap((chain) => {
        const command = readSentCommand(chain, at.memory);
        const found = judge(command, at);
        return found === undefined ? [] : [commandFinding(command, found, at, fact)];
      });
    },
  });
}

function commandFinding(
  command: SentCommand,
  found: string | readonly [string, ChainElement | undefined],
  at: RuleContext,
  fact: Publish,
): Finding {
  const [message, element] = typeof found === 'string' ? [found, undefined] : found;
  const text = `Queue ${fact.queue}, chain ${command.chain.head}: ${message}.`;
  const evidence = [
    seen('command', command.row?.name ?? `class ${command.controlClass}, command ${command.command}`),
    seen('data bytes', command.data.length),
    seen('device-writable bytes', command.writableBytes),
  ];
  if (element !== undefined) {
    const finding = elementFinding(fact, at, command.chain, element, 'len', text);
    return { ...finding, evidence: [...evidence, ...finding.evidence] };
  }
  const first = command.chain.elements[0];
  const place =
    first === undefined
      ? ({ kind: 'descriptor', queue: fact.queue, index: command.chain.head } as const)
      : elementPlace(fact.queue, first, 'addr');
  return { message: text, evidence, place };
}

const le16 = ({ data }: SentCommand, at: number): number => (data[at] ?? 0) | ((data[at + 1] ?? 0) << 8);
const le32 = (command: SentCommand, at: number): number => le16(command, at) + le16(command, at + 2) * 0x1_0000;
const isCommand = ({ row }: SentCommand, ofClass: keyof typeof controlClass, ...numbers: readonly number[]): boolean =>
  row?.controlClass === controlClass[ofClass] && numbers.includes(row.command);
const name = (bit: number): string => featureName(deviceId.net, bit);
const configValue = (at: RuleContext, field: string): number => Number(at.device.configValues.get(field) ?? 0n);

/** Receive queues that are not enabled, among those a command names by their pair. */
function disabledPair(pairs: readonly number[], at: RuleContext): number | undefined {
  return pairs.find((pair) => pair >= usablePairs(at.device) || at.device.queues[2 * pair]?.ready !== true);
}

/** Entries of the table of MQ_RSS_CONFIG, as far as the data goes. */
function tableOf(command: SentCommand): readonly number[] {
  const entries = Math.min(le16(command, 4) + 1, Math.floor((command.data.length - rssFixedBytes) / 2));
  return Array.from({ length: Math.max(0, entries) }, (_, i) => le16(command, rssFixedBytes + 2 * i));
}

/** Virtual time within which an announcement has to be acknowledged. */
const announceWindowNanoseconds = 1_000_000_000;

export const netControlRules: readonly Rule[] = [
  commandRule(
    {
      id: 'net.command-framing',
      title: 'Driver sent a command without class, number or room for the answer',
      why: 'A command begins with two device-readable bytes, class and command, and its first device-writable byte takes the answer.',
      fix: 'Put class, command and data into device-readable descriptors and one byte into a device-writable one behind them.',
      level: 'must',
      covers: [],
      section: '5.1.9.5.1.2',
      blames: 'descriptor store',
    },
    ({ readableBytes, writableBytes, chain }) =>
      readableBytes >= 2 && writableBytes >= 1
        ? undefined
        : [`${readableBytes} device-readable and ${writableBytes} device-writable bytes`, chain.elements.at(-1)],
  ),
  commandRule(
    {
      id: 'net.command-not-negotiated',
      title: 'Driver sent a command whose feature was not negotiated',
      why: 'The device answers such a command with VIRTIO_NET_ERR or does not know it at all.',
      fix: 'Send the command only when its feature was accepted.',
      level: 'must',
      covers: [
        'net.control-virtqueue.inner-header-hash.driver.1',
        'net.control-virtqueue.packet-receive-filtering.driver.1',
        'net.control-virtqueue.packet-receive-filtering.driver.2',
        'net.control-virtqueue.setting-mac-address-filtering.driver.1',
        'net.control-virtqueue.receive-side-scaling-rss.driver.1',
        'net.control-virtqueue.rss-context.driver.1',
        'net.control-virtqueue.notifications-coalescing.driver.2',
        'net.control-virtqueue.notifications-coalescing.driver.3',
      ],
      section: '5.1.9.5.1.2',
    },
    ({ row }, at) =>
      row === undefined || hasFeature(at.device.features.accepted, row.feature)
        ? undefined
        : `${row.name} needs ${name(row.feature)}`,
  ),
  commandRule(
    {
      id: 'net.command-unknown',
      title: 'Driver sent a command that is not defined',
      why: 'The device answers VIRTIO_NET_ERR.',
      fix: 'Look at class and command: they are the first two bytes, in this order.',
      level: 'hazard',
      covers: [],
      section: '5.1.9.5.1.2',
      follows: ['net.command-framing'],
    },
    ({ row, readableBytes, controlClass: ofClass, command }) =>
      row === undefined && readableBytes >= 2 ? `class ${ofClass}, command ${command}` : undefined,
  ),
  commandRule(
    {
      id: 'net.command-length',
      title: 'Driver sent a command with data of the wrong length',
      why: 'Each command has its own structure; the device refuses one of another length.',
      fix: 'Take the length from the structure that belongs to the command.',
      level: 'must',
      covers: [],
      section: '5.1.9.5.1.2',
      follows: ['net.command-framing', 'net.command-not-negotiated'],
    },
    ({ row, data }) =>
      row?.dataBytes === undefined || data.length === row.dataBytes
        ? undefined
        : `${row.name} carries ${data.length} bytes, its data has ${row.dataBytes}`,
  ),
  commandRule(
    {
      id: 'net.mode-value',
      title: 'Driver set a receive mode to neither on nor off',
      why: 'The byte is 0 for off and 1 for on.',
      fix: 'Send 0 or 1.',
      level: 'hazard',
      covers: [],
      section: '5.1.9.5.1.2',
      follows: ['net.command-length'],
    },
    (command) =>
      command.row?.controlClass === controlClass.RX && (command.data[0] ?? 0) > 1
        ? `${command.row.name} with ${command.data[0] ?? 0}`
        : undefined,
  ),
  commandRule(
    {
      id: 'net.address-table-framing',
      title: 'Driver sent an address table whose lists do not fill it',
      why: 'The table is a le32 number and so many unicast addresses, then another number and so many multicast addresses. Both numbers are always there.',
      fix: 'Send a 0 for an empty list, and 6 bytes for each address.',
      level: 'must',
      covers: ['net.control-virtqueue.setting-mac-address-filtering.driver.3'],
      section: '5.1.9.5.2.2',
      follows: ['net.command-not-negotiated'],
    },
    (command) => {
      if (!isCommand(command, 'MAC', 0)) return undefined;
      const { data } = command;
      const second = 4 + le32(command, 0) * addressBytes;
      const end = second + 4 + le32(command, second) * addressBytes;
      return data.length >= second + 4 && end === data.length
        ? undefined
        : `${data.length} bytes with ${le32(command, 0)} unicast addresses${second + 4 <= data.length ? ` and ${le32(command, second)} multicast addresses` : ''}`;
    },
  ),
  commandRule(
    {
      id: 'net.pairs-out-of-range',
      title: 'Driver asked for a number of queue pairs that there cannot be',
      why: 'The field virtqueue_pairs is at least 1 and at most max_virtqueue_pairs.',
      fix: 'Read max_virtqueue_pairs and stay within it.',
      level: 'must',
      covers: ['net.control-virtqueue.automatic-receive-steering-in-multiqueue-mode.driver.2'],
      section: '5.1.9.5.6.1',
      follows: ['net.command-not-negotiated', 'net.command-length'],
    },
    (command, at) => {
      if (!isCommand(command, 'MQ', 0)) return undefined;
      const pairs = le16(command, 0);
      const greatest = configValue(at, 'max_virtqueue_pairs');
      return pairs >= 1 && pairs <= greatest ? undefined : `${pairs} pairs, max_virtqueue_pairs is ${greatest}`;
    },
  ),
  commandRule(
    {
      id: 'net.pairs-not-configured',
      title: 'Driver asked for queue pairs that it has not set up',
      why: 'From this command on the device uses all these queues. Those that are not enabled cannot take a packet.',
      fix: 'Enable receive and transmit queue of each pair first.',
      level: 'must',
      covers: ['net.control-virtqueue.automatic-receive-steering-in-multiqueue-mode.driver.1'],
      section: '5.1.9.5.6.1',
      follows: ['net.pairs-out-of-range'],
    },
    (command, at) => {
      if (!isCommand(command, 'MQ', 0)) return undefined;
      const missing = at.device.queues.slice(0, 2 * le16(command, 0)).find((queue) => !queue.ready);
      return missing === undefined ? undefined : `${le16(command, 0)} pairs, and queue ${missing.index} is not enabled`;
    },
  ),
  commandRule(
    {
      id: 'net.spread-table-size',
      title: 'Driver sent a steering table whose length is no power of two',
      why: 'The device takes the low bits of the hash as the index, so the mask has to be one less than a power of two.',
      fix: 'Choose a power of two and set indirection_table_mask to one less.',
      level: 'must',
      covers: ['net.control-virtqueue.receive-side-scaling-rss.driver.3'],
      section: '5.1.9.5.7.2',
      follows: ['net.command-not-negotiated'],
    },
    (command) => {
      const entries = le16(command, 4) + 1;
      return isCommand(command, 'MQ', 1) && (entries & (entries - 1)) !== 0
        ? `a table of ${entries} entries`
        : undefined;
    },
  ),
  commandRule(
    {
      id: 'net.spread-table-long',
      title: 'Driver sent a steering table that is too long',
      why: 'The device says in rss_max_indirection_table_length how long it may be.',
      fix: 'Keep indirection_table_mask below that number.',
      level: 'must',
      covers: ['net.control-virtqueue.receive-side-scaling-rss.driver.4'],
      section: '5.1.9.5.7.2',
      follows: ['net.command-not-negotiated'],
    },
    (command, at) => {
      const mask = le16(command, 4);
      const greatest = configValue(at, 'rss_max_indirection_table_length');
      return isCommand(command, 'MQ', 1) && mask >= greatest
        ? `indirection_table_mask is ${mask}, rss_max_indirection_table_length ${greatest}`
        : undefined;
    },
  ),
  commandRule(
    {
      id: 'net.spread-queue',
      title: 'Driver steered packets to a queue that is not enabled',
      why: 'Each entry of the table, and the queue for packets without a hash, names a receive queue that can take packets.',
      fix: 'Use the numbers of enabled receive queues, counted from 0: receiveq1 is 0.',
      level: 'must',
      covers: ['net.control-virtqueue.receive-side-scaling-rss.driver.2'],
      section: '5.1.9.5.7.2',
      follows: ['net.command-not-negotiated', 'net.spread-table-size', 'net.spread-table-long'],
    },
    (command, at) => {
      if (!isCommand(command, 'MQ', 1)) return undefined;
      const wrong = disabledPair([...tableOf(command), le16(command, 6)], at);
      return wrong === undefined ? undefined : `receive queue ${wrong} is named and not enabled`;
    },
  ),
  commandRule(
    {
      id: 'net.hash-types',
      title: 'Driver asked for hashes that the device cannot compute',
      why: 'The field supported_hash_types says which there are.',
      fix: 'Mask the types with supported_hash_types.',
      level: 'must',
      covers: ['net.control-virtqueue.receive-side-scaling-rss.driver.5'],
      section: '5.1.9.5.7.2',
      follows: ['net.command-not-negotiated'],
    },
    (command, at) => {
      const least = isCommand(command, 'MQ', 1) ? rssFixedBytes : hashConfigFixedBytes;
      if (!isCommand(command, 'MQ', 1, 2) || command.data.length < least) return undefined;
      const wrong = le32(command, 0) & ~configValue(at, 'supported_hash_types');
      return wrong === 0
        ? undefined
        : `hash_types is ${hex(le32(command, 0))}, supported are ${hex(configValue(at, 'supported_hash_types'))}`;
    },
  ),
  commandRule(
    {
      id: 'net.offload-not-negotiated',
      title: 'Driver switched on an offload that was not negotiated',
      why: 'Only what the driver said it can take may be switched on.',
      fix: 'Set only bits whose feature was accepted.',
      level: 'must',
      covers: ['net.control-virtqueue.offloads-state-configuration.setting-offloads-state.driver.1'],
      section: '5.1.9.5.9.2',
      follows: ['net.command-not-negotiated', 'net.command-length'],
    },
    (command, at) => {
      if (!isCommand(command, 'GUEST_OFFLOADS', 0)) return undefined;
      const wanted = BigInt(le32(command, 0)) | (BigInt(le32(command, 4)) << 32n);
      const wrong = bitsOf(wanted).filter(
        (bit) => !offloadFeatures.includes(bit) || !hasFeature(at.device.features.accepted, bit),
      );
      return wrong.length === 0 ? undefined : `${wrong.map(name).join(', ')} not negotiated`;
    },
  ),
  commandRule(
    {
      id: 'net.coalescing-queue',
      title: 'Driver set the coalescing of a queue that is not in use',
      why: 'The field vq_index is the number of an enabled receive or transmit queue.',
      fix: 'Use the virtqueue index, and enable the queue first; the control queue has no coalescing.',
      level: 'must',
      covers: ['net.control-virtqueue.notifications-coalescing.driver.1'],
      section: '5.1.9.5.10.5',
      follows: ['net.command-not-negotiated', 'net.command-length'],
    },
    (command, at) => {
      if (!isCommand(command, 'NOTF_COAL', 2, 3)) return undefined;
      const queue = le16(command, 0);
      const isData = roleOf(at.device, queue) === 'receive' || roleOf(at.device, queue) === 'transmit';
      return isData && at.device.queues[queue]?.ready === true ? undefined : `vq_index is ${queue}`;
    },
  ),
  commandRule(
    {
      id: 'net.coalescing-answer-room',
      title: 'Driver asked how a queue coalesces and left no room for the answer',
      why: 'Behind the answer byte the device writes max_packets and max_usecs, eight bytes.',
      fix: 'Put eight device-writable bytes behind the one that takes the answer.',
      level: 'hazard',
      covers: [],
      section: '5.1.9.5.10.5',
      follows: ['net.command-framing', 'net.command-not-negotiated'],
    },
    (command) =>
      isCommand(command, 'NOTF_COAL', 3) && command.writableBytes < 1 + gatheringBytes
        ? `${command.writableBytes} device-writable bytes, ${1 + gatheringBytes} are needed`
        : undefined,
  ),
  commandRule(
    {
      id: 'net.tunnel-types',
      title: 'Driver asked for hashes inside tunnels that the device does not know',
      why: 'The field supported_tunnel_types says which there are.',
      fix: 'Mask the types with supported_tunnel_types.',
      level: 'must',
      covers: ['net.control-virtqueue.inner-header-hash.driver.2'],
      section: '5.1.9.4.4.5',
      follows: ['net.command-not-negotiated', 'net.command-length'],
    },
    (command, at) => {
      if (!isCommand(command, 'HASH_TUNNEL', 0)) return undefined;
      const supported = configValue(at, 'supported_tunnel_types');
      const wrong = le32(command, 0) & ~supported;
      return wrong === 0
        ? undefined
        : `enabled_tunnel_types is ${hex(le32(command, 0))}, supported are ${hex(supported)}`;
    },
  ),
  rule('net', {
    id: 'net.link-unread',
    title: 'Driver served a configuration change without reading speed and duplex',
    why: 'A change of the link is told by the same notice as any other. With VIRTIO_NET_F_SPEED_DUPLEX both fields may be other ones now.',
    fix: 'Read speed and duplex, together with status, each time the configuration change notification comes.',
    level: 'should',
    blames: 'missing action',
    covers: ['net.config.driver.12'],
    section: '5.1.4.2',
    needs: { device: deviceId.net, feature: netFeature.SPEED_DUPLEX },
    once: true,
    follows: [
      'interrupt.*',
      'waiting.config-change-ignored',
      'pci.shared-cause-half-served',
      'net.announce-unanswered',
    ],
    on: ['idle'],
    broken: (_fact, at) => {
      const unread = at.device.net.linkUnread;
      const by = unread?.servedBy;
      if (unread === undefined || by === undefined || at.device.needsReset !== undefined) return false;
      if (!hasPassed(at, by, handlerWindowNanoseconds)) return false;
      const missing = ['speed', 'duplex'].filter((_, bit) => (unread.missing & (1 << bit)) !== 0);
      return {
        message: `A configuration change was announced and served, and ${missing.join(' and ')} ${missing.length > 1 ? 'were' : 'was'} not read since.`,
        evidence: [seen('served for', milliseconds(at, by))],
        place: { kind: 'config', offset: 12, size: 4 },
        blamed: by,
        related: unread.announced,
      };
    },
  }),
  rule('net', {
    id: 'net.announce-unanswered',
    title: 'Driver did not acknowledge an announcement',
    why: 'With VIRTIO_NET_S_ANNOUNCE in status the device asks the driver to announce itself, and waits for VIRTIO_NET_CTRL_ANNOUNCE_ACK. Until then it cannot ask again.',
    fix: 'Send VIRTIO_NET_CTRL_ANNOUNCE_ACK on the control queue after a gratuitous ARP packet.',
    level: 'must',
    blames: 'missing action',
    covers: ['net.control-virtqueue.gratuitous-packet-sending.driver.2'],
    section: '5.1.9.5.4.1',
    needs: { device: deviceId.net, feature: netFeature.GUEST_ANNOUNCE },
    once: true,
    on: ['idle', 'publish', 'notify', 'interrupt-acknowledge'],
    broken: (_fact, at) => {
      const since = at.device.net.announceSeen;
      if (since === undefined || at.virtualNanoseconds - since.virtualNanoseconds < announceWindowNanoseconds)
        return false;
      return {
        message: 'VIRTIO_NET_S_ANNOUNCE was read in status more than a second ago and was not acknowledged.',
        evidence: [seen('read at step', since.step)],
        place: { kind: 'config', offset: 6, size: 2 },
        related: since,
      };
    },
  }),
];
