// Rules of receive buffers, features and the configuration space of network devices. [virtio 1.4, 5.1.4.2, 5.1.9.3, 5.1.9.3.1]
import { ethernetHeaderBytes } from '../../network/packet';
import type { Chain, ChainElement } from '../../record/events';
import { deviceId } from '../spec/device-id';
import { hasFeature } from '../spec/feature';
import { netFeature } from '../spec/net';
import { netHeaderBytes } from '../spec/net-header';
import { elementFinding, type Publish } from './chain-evidence';
import { hex, seen } from './evidence';
import { shouldAccept } from './features';
import { isReadable, lastOf, roleOf, totalOf } from './net-request';
import { type Needs, rule, type Rule, type RuleContext, type RuleTexts } from './rule';
import { status } from '../spec/status';

type Texts = Pick<RuleTexts, 'id' | 'title' | 'why' | 'fix' | 'level' | 'covers'> &
  Partial<Pick<RuleTexts, 'section' | 'follows'>> & { readonly needs?: Needs };

/** A rule about each receive buffer: the message and the element whose `len` or `flags` is at fault. */
function bufferRule(
  texts: Texts,
  field: 'len' | 'flags',
  judge: (chain: Chain, at: RuleContext) => undefined | readonly [string, ChainElement | undefined],
): Rule {
  return rule('net', {
    section: '5.1.9.3.1',
    blames: 'descriptor store',
    ...texts,
    needs: { device: deviceId.net, ...texts.needs },
    on: ['publish'],
    broken: (fact: Publish, at) => {
      if (roleOf(at.device, fact.queue) !== 'receive') return false;
      return fact.chains.filter(isReadable).flatMap((chain) => {
        const [message, element] = judge(chain, at) ?? [];
        if (message === undefined || element === undefined) return [];
        return [
          elementFinding(fact, at, chain, element, field, `Queue ${fact.queue}, chain ${chain.head}: ${message}.`),
        ];
      });
    },
  });
}

const has = (at: RuleContext, bit: number): boolean => hasFeature(at.device.features.accepted, bit);
const largePackets = [
  netFeature.GUEST_TSO4,
  netFeature.GUEST_TSO6,
  netFeature.GUEST_UFO,
  netFeature.GUEST_USO4,
  netFeature.GUEST_USO6,
];
/** Largest packets with their Ethernet header, without and with segmentation. [5.1.9.3.1] */
const ordinaryBytes = 1500 + ethernetHeaderBytes;
const largeBytes = 65_589;

/** A bit that makes no sense without VIRTIO_NET_F_CTRL_VQ. */
function withoutControl(bit: number, id: string, bitName: string, covers: string): Rule {
  return rule('net', {
    id,
    title: `Driver accepted ${bitName} without VIRTIO_NET_F_CTRL_VQ`,
    why: 'The commands of this feature go through the control queue, which then does not exist.',
    fix: 'Accept VIRTIO_NET_F_CTRL_VQ too, or neither.',
    level: 'should',
    blames: 'access',
    covers: [covers],
    section: '5.1.4.2',
    needs: { device: deviceId.net, feature: bit, withoutFeature: netFeature.CTRL_VQ },
    on: ['status-write'],
    broken: (fact, at) =>
      (fact.value & ~fact.before & status.FEATURES_OK) !== 0 && {
        message: `${bitName} was accepted and VIRTIO_NET_F_CTRL_VQ was not.`,
        evidence: [seen('accepted features', hex(at.device.features.accepted))],
        place: { kind: 'feature', bit },
      },
  });
}

export const netReceiveRules: readonly Rule[] = [
  bufferRule(
    {
      id: 'net.receive-readable',
      title: 'Driver put a device-readable buffer into a receive queue',
      why: 'The device writes packets into these buffers and cannot write into this one.',
      fix: 'Set VIRTQ_DESC_F_WRITE on the buffers of receive queues.',
      level: 'must',
      covers: [],
      section: '5.1.9.3.1',
    },
    'flags',
    (chain) => (totalOf(chain, false) === 0 ? undefined : ['a device-readable descriptor', lastOf(chain, false)]),
  ),
  bufferRule(
    {
      id: 'net.receive-header-room',
      title: 'Driver gave a receive buffer that cannot hold a header',
      why: 'The header of a received packet lies whole in its first buffer. Its length follows from the features.',
      fix: 'Make each receive buffer at least as long as struct virtio_net_hdr: 12 bytes, 20 with VIRTIO_NET_F_HASH_REPORT.',
      level: 'must',
      covers: ['net.setting-up-receive-buffers.driver.3', 'net.setting-up-receive-buffers.driver.4'],
      follows: ['net.receive-readable'],
    },
    'len',
    (chain, at) => {
      const needed = netHeaderBytes(at.device.features.accepted);
      const room = totalOf(chain, true);
      return room >= needed ? undefined : [`room for ${room} bytes, the header has ${needed}`, chain.elements.at(-1)];
    },
  ),
  bufferRule(
    {
      id: 'net.receive-buffer-small',
      title: 'Driver gave a receive buffer that cannot hold a packet',
      why: 'Without VIRTIO_NET_F_MRG_RXBUF each packet has to fit one buffer, and what does not fit is dropped: 1514 bytes and the header, or 65589 and the header when large packets were accepted.',
      fix: 'Make the buffers larger, or accept VIRTIO_NET_F_MRG_RXBUF.',
      level: 'should',
      covers: ['net.setting-up-receive-buffers.driver.1', 'net.setting-up-receive-buffers.driver.2'],
      follows: ['net.receive-readable', 'net.receive-header-room'],
      needs: { withoutFeature: netFeature.MRG_RXBUF },
    },
    'len',
    (chain, at) => {
      const frame = largePackets.some((bit) => has(at, bit)) ? largeBytes : ordinaryBytes;
      const needed = frame + netHeaderBytes(at.device.features.accepted);
      const room = totalOf(chain, true);
      return room >= needed
        ? undefined
        : [`room for ${room} bytes, a packet with its header may have ${needed}`, chain.elements.at(-1)];
    },
  ),
  rule('net', {
    id: 'net.config-written',
    title: 'Driver wrote the configuration of a network device',
    why: 'All its fields are set by the device. Only a legacy driver sets the address this way.',
    fix: 'Set the address with VIRTIO_NET_CTRL_MAC_ADDR_SET.',
    level: 'must',
    blames: 'access',
    covers: ['net.config.driver.1'],
    section: '5.1.4.2',
    needs: { device: deviceId.net, interface: 'modern' },
    follows: ['config.beyond-end'],
    on: ['config-write'],
    broken: (fact) => ({
      message: `${fact.size} bytes at ${fact.offset} were written${fact.field === undefined ? '' : `, to ${fact.field}`}.`,
      evidence: [seen('offset', fact.offset), seen('value', hex(fact.value))],
      place: { kind: 'config', offset: fact.offset, size: fact.size },
    }),
  }),
  shouldAccept(netFeature.MAC, {
    id: 'net.mac-declined',
    title: 'Driver did not accept VIRTIO_NET_F_MAC',
    why: 'The device has an address for the interface. A driver that declines has to make one up.',
    covers: ['net.config.driver.2'],
    section: '5.1.4.2',
    needs: { device: deviceId.net },
  }),
  shouldAccept(netFeature.MTU, {
    id: 'net.mtu-declined',
    title: 'Driver did not accept VIRTIO_NET_F_MTU',
    why: 'The device says how large packets may be. A driver that declines may send larger ones, which get lost.',
    covers: ['net.config.driver.7'],
    section: '5.1.4.2',
    needs: { device: deviceId.net },
  }),
  shouldAccept(netFeature.STANDBY, {
    id: 'net.standby-declined',
    title: 'Driver did not accept VIRTIO_NET_F_STANDBY',
    why: 'The device may stand by for another one with the same address. A driver that declines sees two unrelated devices.',
    covers: ['net.config.driver.10'],
    section: '5.1.4.2',
    needs: { device: deviceId.net },
  }),
  withoutControl(
    netFeature.HASH_REPORT,
    'net.hash-report-without-control',
    'VIRTIO_NET_F_HASH_REPORT',
    'net.config.driver.13',
  ),
  withoutControl(
    netFeature.CTRL_RX_EXTRA,
    'net.receive-modes-without-control',
    'VIRTIO_NET_F_CTRL_RX_EXTRA',
    'net.config.driver.14',
  ),
];
