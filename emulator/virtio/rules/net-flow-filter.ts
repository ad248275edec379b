// Rules of the objects of flow filters: classifiers and the rules that use them. [virtio 1.4, 5.1.9.6.5]
import { adminOpcode } from '../spec/administration';
import {
  flowObject,
  flowSelector,
  followedBy,
  nextHeaderAt,
  partialMask,
  readFlowRule,
  readSelectors,
  type Selector,
} from '../spec/net-flow-filter';
import { objectKey } from '../watch/administration';
import { adminRule, objectOf, type SentAdminCommand } from './administration';
import { hex } from './evidence';
import type { Rule } from './rule';

const section = '5.1.9.6.5';
const changing: readonly number[] = [adminOpcode.RESOURCE_OBJ_CREATE, adminOpcode.RESOURCE_OBJ_MODIFY];
const typeNames = new Map<number, string>(
  Object.entries(flowSelector).map(([name, type]) => [type, `VIRTIO_NET_FF_MASK_TYPE_${name}`]),
);
const typeName = (type: number): string => typeNames.get(type) ?? `type ${type}`;

/** Bytes of a header in which several fields share the bits. */
const sharedBytes: Readonly<Record<number, readonly number[]>> = {
  [flowSelector.IPV4]: [0, 1, 6, 7],
  [flowSelector.IPV6]: [0, 1, 2, 3],
  [flowSelector.TCP]: [12, 13],
};

/** What a command says of an object of this type. */
function ownOf(sent: SentAdminCommand, type: number): { readonly id: number; readonly own: Uint8Array } | undefined {
  const object = objectOf(sent);
  return object?.type === type && changing.includes(sent.command.opcode) ? object : undefined;
}
function classifierOf(sent: SentAdminCommand): readonly Selector[] | undefined {
  const object = ownOf(sent, flowObject.CLASSIFIER);
  return object && readSelectors(object.own);
}

/** A rule's keys beside the selectors of its classifier. */
function keysOf(
  sent: SentAdminCommand,
): readonly { readonly selector: Selector; readonly key: Uint8Array; readonly next: Selector | undefined }[] {
  const object = ownOf(sent, flowObject.RULE);
  if (object === undefined) return [];
  const { classifier, keys } = readFlowRule(object.own);
  const known = sent.at.device.administration.objects.get(objectKey(flowObject.CLASSIFIER, classifier));
  const selectors = readSelectors(Uint8Array.from(known?.own ?? []));
  let at = 0;
  return selectors.map((selector, i) => {
    const key = keys.slice(at, at + selector.length);
    at += selector.length;
    return { selector, key, next: selectors[i + 1] };
  });
}

/** What a key says follows its header, where that is not what the next selector stands for. */
function wrongNext(sent: SentAdminCommand, place: number): string | undefined {
  const pair = keysOf(sent)[place];
  const field = nextHeaderAt[pair?.selector.type ?? 0];
  const wanted = followedBy[pair?.next?.type ?? 0];
  if (pair === undefined || field === undefined || wanted === undefined) return undefined;
  const said = pair.key.slice(field.at, field.at + field.bytes).reduce((value, byte) => value * 256 + byte, 0);
  if (said === wanted) return undefined;
  return `the key of ${typeName(pair.selector.type)} says that ${hex(said)} follows, ${typeName(pair.next?.type ?? 0)} is ${hex(wanted)}`;
}

const orders: readonly (readonly number[])[] = [
  [flowSelector.ETH],
  [flowSelector.IPV4, flowSelector.IPV6],
  [flowSelector.UDP, flowSelector.TCP, flowSelector.ESP],
];

export const flowFilterRules: readonly Rule[] = [
  adminRule(
    {
      id: 'net.classifier-order',
      title: 'Driver gave a classifier selectors in an order that no packet has',
      why: 'Selectors follow the headers of a packet: Ethernet, then IPv4 or IPv6, then UDP or TCP. Any other order matches nothing, or what was not meant.',
      fix: 'Begin with VIRTIO_NET_FF_MASK_TYPE_ETH, add IPV4 or IPV6 and then UDP or TCP.',
      level: 'must',
      covers: ['net.flow-filter.driver.9'],
      section,
    },
    (sent) => {
      const selectors = classifierOf(sent) ?? [];
      const wrong = selectors.findIndex(({ type }, i) => orders[i]?.includes(type) !== true);
      return wrong < 0 ? undefined : `selectors[${wrong}].type is ${typeName(selectors[wrong]?.type ?? 0)}`;
    },
  ),
  adminRule(
    {
      id: 'net.classifier-next-header',
      title: 'Driver masked out the field that says which header follows',
      why: 'A classifier with a further selector has to look at EtherType or at the protocol; otherwise bytes of another header are taken for the one that was meant.',
      fix: 'Set all mask bits of EtherType where an IP selector follows, and of Protocol or Next Header where a transport selector follows.',
      level: 'must',
      covers: ['net.flow-filter.driver.10'],
      section,
      follows: ['net.classifier-order'],
    },
    (sent) => {
      const selectors = classifierOf(sent) ?? [];
      const wrong = selectors.findIndex(({ type, mask }, i) => {
        const field = nextHeaderAt[type];
        if (field === undefined || i + 1 >= selectors.length) return false;
        return mask.slice(field.at, field.at + field.bytes).some((bits) => bits !== 0xff);
      });
      return wrong < 0 ? undefined : `the mask of selectors[${wrong}] does not cover what header follows`;
    },
  ),
  adminRule(
    {
      id: 'net.rule-ether-type',
      title: 'Driver gave a flow rule another EtherType than its classifier needs',
      why: 'The key of the Ethernet header has to name the protocol of the selector behind it, or the rule never matches.',
      fix: 'Put 0x0800 for IPv4 or 0x86dd for IPv6 into bytes 12 and 13 of the first key, in network byte order.',
      level: 'must',
      covers: ['net.flow-filter.driver.11'],
      section,
    },
    (sent) => wrongNext(sent, 0),
  ),
  adminRule(
    {
      id: 'net.rule-protocol',
      title: 'Driver gave a flow rule another protocol number than its classifier needs',
      why: 'The key of the IP header has to name the transport of the selector behind it, or the rule never matches.',
      fix: 'Put 6 for TCP or 17 for UDP into Protocol (IPv4) or Next Header (IPv6) of the second key.',
      level: 'must',
      covers: ['net.flow-filter.driver.12'],
      section,
    },
    (sent) => wrongNext(sent, 1),
  ),
  adminRule(
    {
      id: 'net.rule-priority-shared',
      title: 'Driver gave two flow rules of a group the same priority',
      why: 'Where both match a packet the device may apply either.',
      fix: 'Give every rule of a group a priority of its own.',
      level: 'should',
      covers: ['net.flow-filter.driver.6'],
      section,
    },
    (sent) => {
      const object = ownOf(sent, flowObject.RULE);
      if (object === undefined) return undefined;
      const { group, priority } = readFlowRule(object.own);
      const other = [...sent.at.device.administration.objects.values()].find((one) => {
        if (one.type !== flowObject.RULE || one.id === object.id) return false;
        const rule = readFlowRule(Uint8Array.from(one.own));
        return rule.group === group && rule.priority === priority;
      });
      return other && `rules ${other.id} and ${object.id} of group ${group} both have rule_priority ${priority}`;
    },
  ),
  adminRule(
    {
      id: 'net.selector-mask-partial',
      title: 'Driver masked single bits without VIRTIO_NET_FF_MASK_F_PARTIAL_MASK',
      why: 'Without the flag a device compares whole fields, so a mask of some of their bits matches more or less than was meant.',
      fix: 'Set all bits of a field or none, or set VIRTIO_NET_FF_MASK_F_PARTIAL_MASK where the device offers it.',
      level: 'should',
      covers: ['net.flow-filter.driver.13'],
      section,
    },
    (sent) => {
      const selectors = classifierOf(sent) ?? [];
      const wrong = selectors.findIndex(
        ({ type, flags, mask }) =>
          (flags & partialMask) === 0 &&
          mask.some((bits, at) => bits !== 0 && bits !== 0xff && sharedBytes[type]?.includes(at) !== true),
      );
      return wrong < 0
        ? undefined
        : `selectors[${wrong}] masks single bits and has no VIRTIO_NET_FF_MASK_F_PARTIAL_MASK`;
    },
  ),
];
