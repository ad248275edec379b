// Flow filters of network devices: capabilities, resource objects and how they are laid out. [virtio 1.4, 5.1.9.6]
import type { ResourceType } from './administration';

export const flowCapability = { RESOURCE: 0x800, SELECTOR: 0x801, ACTION: 0x802 } as const;
export const flowObject = { GROUP: 0x200, CLASSIFIER: 0x201, RULE: 0x202 } as const;

export const flowSelector = { ETH: 1, IPV4: 2, IPV6: 3, TCP: 4, UDP: 5, ESP: 6 } as const;
/** Bytes of the header that each selector type stands for. */
export const flowSelectorBytes: Readonly<Record<number, number>> = {
  [flowSelector.ETH]: 14,
  [flowSelector.IPV4]: 20,
  [flowSelector.IPV6]: 40,
  [flowSelector.TCP]: 20,
  [flowSelector.UDP]: 8,
  [flowSelector.ESP]: 8,
};
export const partialMask = 1;

export const flowAction = { DROP: 1, DIRECT_RX_VQ: 2 } as const;

/** struct virtio_net_ff_cap_data: four 32-bit limits, then two bytes. */
export const flowResourceCap = {
  bytes: 20,
  groups: 0,
  classifiers: 4,
  rules: 8,
  rulesPerGroup: 12,
  lastRulePriority: 16,
  selectorsPerClassifier: 17,
} as const;

const all = [flowCapability.RESOURCE, flowCapability.SELECTOR, flowCapability.ACTION];

export const flowFilterResources: readonly ResourceType[] = [
  {
    type: flowObject.GROUP,
    name: 'VIRTIO_NET_RESOURCE_OBJ_FF_GROUP',
    capabilities: all,
    limitAt: flowResourceCap.groups,
    references: [],
  },
  {
    type: flowObject.CLASSIFIER,
    name: 'VIRTIO_NET_RESOURCE_OBJ_FF_CLASSIFIER',
    capabilities: all,
    limitAt: flowResourceCap.classifiers,
    references: [],
  },
  {
    type: flowObject.RULE,
    name: 'VIRTIO_NET_RESOURCE_OBJ_FF_RULE',
    capabilities: all,
    limitAt: flowResourceCap.rules,
    references: [
      { type: flowObject.GROUP, at: 0 },
      { type: flowObject.CLASSIFIER, at: 4 },
    ],
  },
];

/** struct virtio_net_ff_selector. */
export interface Selector {
  readonly type: number;
  readonly flags: number;
  readonly length: number;
  readonly mask: Uint8Array;
}

/** count, 7 reserved bytes, then selectors: of the capability and of a classifier. Ends where the bytes do. */
export function readSelectors(bytes: Uint8Array): readonly Selector[] {
  const selectors: Selector[] = [];
  let at = 8;
  for (let left = bytes[0] ?? 0; left > 0 && at < bytes.length; left--) {
    const length = bytes[at + 4] ?? 0;
    const mask = bytes.slice(at + 8, at + 8 + length);
    selectors.push({ type: bytes[at] ?? 0, flags: bytes[at + 1] ?? 0, length, mask });
    at += 8 + length;
  }
  return selectors;
}

export function writeSelectors(selectors: readonly Selector[]): Uint8Array {
  const parts = selectors.map(({ type, flags, length, mask }) => [type, flags, 0, 0, length, 0, 0, 0, ...mask]);
  return Uint8Array.from([selectors.length, 0, 0, 0, 0, 0, 0, 0, ...parts.flat()]);
}

/** struct virtio_net_resource_obj_ff_rule. */
export interface FlowRule {
  readonly group: number;
  readonly classifier: number;
  readonly priority: number;
  readonly keyLength: number;
  readonly action: number;
  readonly queue: number;
  readonly keys: Uint8Array;
}
export function readFlowRule(bytes: Uint8Array): FlowRule {
  const le = (at: number, size: number): number =>
    Array.from({ length: size }, (_, i) => bytes[at + i] ?? 0).reduceRight((value, byte) => value * 256 + byte, 0);
  const keyLength = le(9, 1);
  return {
    group: le(0, 4),
    classifier: le(4, 4),
    priority: le(8, 1),
    keyLength,
    action: le(10, 1),
    queue: le(12, 2),
    keys: bytes.slice(16, 16 + keyLength),
  };
}

/** Where a header says what follows it: byte and length in the header. */
export const nextHeaderAt: Readonly<Record<number, { readonly at: number; readonly bytes: number }>> = {
  [flowSelector.ETH]: { at: 12, bytes: 2 },
  [flowSelector.IPV4]: { at: 9, bytes: 1 },
  [flowSelector.IPV6]: { at: 6, bytes: 1 },
};
/** What that has to be for a header of this type to follow. [IEEE 802 Ethertypes, IANA Protocol Numbers] */
export const followedBy: Readonly<Record<number, number>> = {
  [flowSelector.IPV4]: 0x0800,
  [flowSelector.IPV6]: 0x86dd,
  [flowSelector.TCP]: 6,
  [flowSelector.UDP]: 17,
  [flowSelector.ESP]: 50,
};
