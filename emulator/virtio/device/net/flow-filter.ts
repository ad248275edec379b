// Flow filters of the network device: what it offers, which objects it takes, and what becomes of a frame. [virtio 1.4, 5.1.9.6]
import { parseFrame } from '../../../network/packet';
import { le } from '../../spec/administration';
import {
  flowAction,
  flowCapability,
  flowFilterResources,
  flowObject,
  flowResourceCap,
  flowSelector,
  flowSelectorBytes,
  followedBy,
  type FlowRule,
  nextHeaderAt,
  partialMask,
  readFlowRule,
  readSelectors,
  type Selector,
  writeSelectors,
} from '../../spec/net-flow-filter';
import { type Administration, type AdminState, capabilityOf, freshAdminState } from '../administration/commands';

const limits = { groups: 8, classifiers: 16, rules: 64, rulesPerGroup: 32, lastRulePriority: 255, selectors: 3 };
const offeredSelectors: readonly Selector[] = [
  flowSelector.ETH,
  flowSelector.IPV4,
  flowSelector.IPV6,
  flowSelector.TCP,
  flowSelector.UDP,
].map((type) => {
  const length = flowSelectorBytes[type] ?? 0;
  return { type, flags: partialMask, length, mask: new Uint8Array(length).fill(0xff) };
});
const offeredActions: readonly number[] = [flowAction.DROP, flowAction.DIRECT_RX_VQ];

export type FlowVerdict = { readonly kind: 'drop' } | { readonly kind: 'pair'; readonly pair: number } | undefined;

export class FlowFilter implements Administration {
  readonly resources = flowFilterResources;
  readonly capabilities = [
    { id: flowCapability.RESOURCE, bytes: resourceBytes(), problem: limitProblem },
    { id: flowCapability.SELECTOR, bytes: writeSelectors(offeredSelectors), problem: selectorProblem },
    {
      id: flowCapability.ACTION,
      bytes: Uint8Array.from([offeredActions.length, 0, 0, 0, 0, 0, 0, 0, ...offeredActions]),
      problem: actionProblem,
    },
  ];
  private state: AdminState = freshAdminState();

  /** @param pairs of queues that the device has */
  constructor(private readonly pairs: number) {}

  changed(state: AdminState): void {
    this.state = state;
  }

  problem(type: number, own: Uint8Array, state: AdminState): string | undefined {
    switch (type) {
      case flowObject.GROUP:
        return state.objects.some((one) => one.type === type && le(one.own, 0, 2) === le(own, 0, 2))
          ? `another group has priority ${le(own, 0, 2)}`
          : undefined;
      case flowObject.CLASSIFIER:
        return classifierProblem(own, capabilityOf(state, flowCapability.RESOURCE));
      default:
        return this.ruleProblem(readFlowRule(own), state);
    }
  }

  /** Groups from the highest priority down, rules likewise; the first that matches decides. */
  verdict(frame: Uint8Array): FlowVerdict {
    const { objects } = this.state;
    const groups = objects.filter(({ type }) => type === flowObject.GROUP);
    const rules = objects.filter(({ type }) => type === flowObject.RULE).map(({ own }) => readFlowRule(own));
    for (const group of groups.sort((a, b) => le(b.own, 0, 2) - le(a.own, 0, 2))) {
      const own = rules.filter((rule) => rule.group === group.id).sort((a, b) => b.priority - a.priority);
      const match = own.find((rule) => this.matches(rule, frame));
      if (match !== undefined) {
        return match.action === flowAction.DROP ? { kind: 'drop' } : { kind: 'pair', pair: match.queue >> 1 };
      }
    }
    return undefined;
  }

  private matches({ classifier, keys }: FlowRule, frame: Uint8Array): boolean {
    const object = this.state.objects.find(({ type, id }) => type === flowObject.CLASSIFIER && id === classifier);
    if (object === undefined) return false;
    let at = 0;
    return readSelectors(object.own).every(({ type, length, mask }) => {
      const key = keys.subarray(at, at + length);
      at += length;
      const header = headerOf(type, frame);
      return header !== undefined && mask.every((bits, i) => ((header[i] ?? 0) & bits) === ((key[i] ?? 0) & bits));
    });
  }

  private ruleProblem(rule: FlowRule, state: AdminState): string | undefined {
    const { group, classifier, keyLength, action, queue, priority } = rule;
    const limit = capabilityOf(state, flowCapability.RESOURCE) ?? new Uint8Array(flowResourceCap.bytes);
    const actions = listedActions(capabilityOf(state, flowCapability.ACTION) ?? new Uint8Array(0));
    const object = state.objects.find(({ type, id }) => type === flowObject.CLASSIFIER && id === classifier);
    const wanted = readSelectors(object?.own ?? new Uint8Array(0)).reduce((sum, { length }) => sum + length, 0);
    const inGroup = state.objects.filter(({ type, own }) => type === flowObject.RULE && le(own, 0, 4) === group).length;
    if (keyLength !== wanted) return `key_length is ${keyLength}, the classifier's selectors have ${wanted}`;
    if (priority > (limit[flowResourceCap.lastRulePriority] ?? 0))
      return `rule_priority ${priority} is above the limit`;
    if (!actions.includes(action)) return `action ${action} was not set in the capability`;
    if (action === flowAction.DIRECT_RX_VQ && (queue % 2 !== 0 || queue >= 2 * this.pairs))
      return `vq_index ${queue} is no receive queue`;
    return inGroup >= le(limit, flowResourceCap.rulesPerGroup, 4) ? `group ${group} is full` : undefined;
  }
}

function resourceBytes(): Uint8Array {
  const bytes = new Uint8Array(flowResourceCap.bytes);
  bytes[flowResourceCap.groups] = limits.groups;
  bytes[flowResourceCap.classifiers] = limits.classifiers;
  bytes[flowResourceCap.rules] = limits.rules;
  bytes[flowResourceCap.rulesPerGroup] = limits.rulesPerGroup;
  bytes[flowResourceCap.lastRulePriority] = limits.lastRulePriority;
  bytes[flowResourceCap.selectorsPerClassifier] = limits.selectors;
  return bytes;
}

/** Where a driver's limits exceed the device's. */
function limitProblem(set: Uint8Array): string | undefined {
  const offered = resourceBytes();
  const { groups, classifiers, rules, rulesPerGroup, lastRulePriority, selectorsPerClassifier } = flowResourceCap;
  const words = [groups, classifiers, rules, rulesPerGroup].some((at) => le(set, at, 4) > le(offered, at, 4));
  const bytes = [lastRulePriority, selectorsPerClassifier].some((at) => (set[at] ?? 0) > (offered[at] ?? 0));
  return words || bytes ? 'a limit is larger than that of the device' : undefined;
}

function selectorProblem(set: Uint8Array): string | undefined {
  const unknown = readSelectors(set).find(({ type, flags, mask }) => {
    const offered = offeredSelectors.find((one) => one.type === type);
    return offered === undefined || (flags & ~offered.flags) !== 0 || mask.length > offered.length;
  });
  return unknown && `the device does not offer selector type ${unknown.type} so`;
}

/** struct virtio_net_ff_actions: count, 7 reserved bytes, then so many actions. */
function listedActions(bytes: Uint8Array): readonly number[] {
  return [...bytes.subarray(8, 8 + (bytes[0] ?? 0))];
}

function actionProblem(set: Uint8Array): string | undefined {
  const unknown = listedActions(set).find((action) => !offeredActions.includes(action));
  return unknown === undefined ? undefined : `the device does not offer action ${unknown}`;
}

function classifierProblem(own: Uint8Array, limit: Uint8Array | undefined): string | undefined {
  const selectors = readSelectors(own);
  const count = own[0] ?? 0;
  if (count === 0 || selectors.length !== count)
    return `${count} selectors were announced, ${selectors.length} are there`;
  if (count > (limit?.[flowResourceCap.selectorsPerClassifier] ?? 0)) return `${count} selectors are above the limit`;
  return selectorOrderProblem(selectors);
}

/** What a classifier's selectors have to be, in order; undefined when they are. [5.1.9.6.2.2] */
export function selectorOrderProblem(selectors: readonly Selector[]): string | undefined {
  const allowed: readonly (readonly number[])[] = [
    [flowSelector.ETH],
    [flowSelector.IPV4, flowSelector.IPV6],
    [flowSelector.TCP, flowSelector.UDP],
  ];
  const wrong = selectors.findIndex(({ type }, i) => allowed[i]?.includes(type) !== true);
  if (wrong >= 0) return `selectors[${wrong}].type is ${selectors[wrong]?.type}`;
  const loose = selectors.findIndex(({ type, mask }, i) => {
    const next = nextHeaderAt[type];
    if (i + 1 >= selectors.length || next === undefined) return false;
    return mask.slice(next.at, next.at + next.bytes).some((bits) => bits !== 0xff);
  });
  return loose < 0 ? undefined : `the mask of selectors[${loose}] leaves out what header follows`;
}

/** The bytes of a frame that a selector looks at; undefined when there is no such header. */
function headerOf(type: number, frame: Uint8Array): Uint8Array | undefined {
  const length = flowSelectorBytes[type] ?? 0;
  const packet = parseFrame(frame);
  if (packet === undefined) return undefined;
  if (type === flowSelector.ETH) return frame.subarray(0, length);
  const { internet, transport } = packet;
  if (type === flowSelector.IPV4 || type === flowSelector.IPV6) {
    if (internet === undefined || internet.version !== (type === flowSelector.IPV4 ? 4 : 6)) return undefined;
    const header = frame.slice(internet.offset, internet.offset + length);
    // With extension headers Next Header counts as that of the last one.
    if (type === flowSelector.IPV6) header[nextHeaderAt[type]?.at ?? 0] = internet.protocol;
    return header;
  }
  if (transport === undefined || internet?.protocol !== followedBy[type]) return undefined;
  return frame.subarray(transport.offset, transport.offset + length);
}
