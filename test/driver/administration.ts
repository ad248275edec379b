// Administration commands as a scripted driver sends them. [virtio 1.4, 2.12.1, 2.13]
import { adminOpcode } from '../../emulator/virtio/spec/administration';
import { feature, featureSet } from '../../emulator/virtio/spec/feature';
import {
  flowAction,
  flowCapability,
  flowObject,
  flowSelector,
  flowSelectorBytes,
  followedBy,
  nextHeaderAt,
  type Selector,
  writeSelectors,
} from '../../emulator/virtio/spec/net-flow-filter';
import { netFeature } from '../../emulator/virtio/spec/net';
import type { DriverQueue } from './driver';
import { type PciDriver } from './pci-driver';

export const adminFeatures = featureSet(feature.VERSION_1, feature.ADMIN_VQ);
/** Features that a network device need not offer for this. */
export const withoutAddress = featureSet(netFeature.MAC, netFeature.MTU);
/** Every command of the self group. */
export const allCommands = Object.values(adminOpcode).reduce((bits, opcode) => bits | (1n << BigInt(opcode)), 0n);
/** Bytes of the device-writable part. */
const answerBytes = 0x380;

export interface Answer {
  readonly status: number;
  readonly qualifier: number;
  readonly result: Uint8Array;
}

export class AdminDriver {
  constructor(
    readonly driver: PciDriver,
    readonly queueIndex: number,
  ) {}

  get queue(): DriverQueue {
    return this.driver.queue(this.queueIndex);
  }

  /** Initialises the device, with its administration virtqueue. */
  static start(driver: PciDriver, queues: readonly number[] = [0]): AdminDriver {
    driver.probe();
    driver.reset();
    driver.acknowledge();
    driver.driver();
    driver.negotiate();
    driver.confirmFeatures();
    const index = driver.field('admin_queue_index');
    for (const queue of [...queues, index]) driver.setUpQueue(queue);
    driver.driverOk();
    return new AdminDriver(driver, index);
  }

  /** Asks for the commands and uses them all. */
  useAll(): void {
    this.send(adminOpcode.LIST_QUERY);
    this.send(adminOpcode.LIST_USE, words(allCommands));
  }
  /** Reads and sets the three capabilities of flow filters as they are. */
  useFlowFilters(): void {
    this.useAll();
    for (const id of Object.values(flowCapability)) {
      const { result } = this.send(adminOpcode.DEVICE_CAP_GET, words(BigInt(id)));
      this.send(adminOpcode.DRIVER_CAP_SET, Uint8Array.from([...words(BigInt(id)), ...result]));
    }
  }
  create(type: number, id: number, own: Uint8Array): Answer {
    return this.send(adminOpcode.RESOURCE_OBJ_CREATE, resource(type, id, own));
  }
  destroy(type: number, id: number): Answer {
    return this.send(adminOpcode.RESOURCE_OBJ_DESTROY, header(type, id));
  }

  send(opcode: number, data: Uint8Array = new Uint8Array(0), group = 0, member = 0): Answer {
    this.publish(command(opcode, data, group, member));
    this.driver.notifyIfWanted(this.queue);
    return this.wait();
  }
  /** @param readable device-readable bytes, or undefined for none */
  publish(readable: Uint8Array | undefined, writableBytes = answerBytes): void {
    const { driver, queue } = this;
    const place = driver.buffer(0x2000 + (queue.availableIndex % 4) * 0x800);
    for (let i = 0; i < (readable?.length ?? 0); i++) driver.bench.store(place + i, 1, readable?.[i] ?? 0);
    this.answerAt = place + 0x400;
    const pieces = [
      ...(readable === undefined ? [] : [{ address: place, length: readable.length }]),
      ...(writableBytes === 0 ? [] : [{ address: this.answerAt, length: writableBytes, deviceWritable: true }]),
    ];
    driver.publish(queue, driver.addChain(queue, pieces));
  }
  wait(): Answer {
    const { driver, queue, answerAt } = this;
    const slot = queue.lastUsed % queue.size;
    driver.waitUsed(queue);
    const length = driver.ram(queue.used + 4 + slot * 8 + 4, 4);
    const bytes = Uint8Array.from({ length }, (_, i) => driver.ram(answerAt + i, 1));
    return { status: (bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8), qualifier: bytes[2] ?? 0, result: bytes.slice(8) };
  }
  private answerAt = 0;
}

export function command(opcode: number, data: Uint8Array, group = 0, member = 0): Uint8Array {
  const bytes = new Uint8Array(24 + Math.ceil(data.length / 8) * 8);
  bytes.set([opcode & 0xff, opcode >> 8, group & 0xff, group >> 8]);
  bytes[16] = member;
  bytes.set(data, 24);
  return bytes;
}

/** One 64-bit word. */
export function words(bits: bigint): Uint8Array {
  return Uint8Array.from({ length: 8 }, (_, i) => Number((bits >> BigInt(8 * i)) & 0xffn));
}
function header(type: number, id: number): Uint8Array {
  return Uint8Array.of(type & 0xff, type >> 8, 0, 0, id, 0, 0, 0);
}
export function resource(type: number, id: number, own: Uint8Array): Uint8Array {
  return Uint8Array.from([...header(type, id), ...new Uint8Array(8), ...own]);
}

export const groupData = (priority: number): Uint8Array => Uint8Array.of(priority & 0xff, priority >> 8);

/** Selectors that look at what header follows and at nothing else, unless `mask` says more. */
export function selectors(types: readonly number[], mask: (type: number, at: number) => number = () => 0): Selector[] {
  return types.map((type, i) => {
    const length = flowSelectorBytes[type] ?? 0;
    const next = nextHeaderAt[type];
    const follows = (at: number): boolean =>
      i + 1 < types.length && next !== undefined && at >= next.at && at < next.at + next.bytes;
    const bytes = Uint8Array.from({ length }, (_, at) => (follows(at) ? 0xff : mask(type, at)));
    return { type, flags: 0, length, mask: bytes };
  });
}
export const classifierData = (list: readonly Selector[]): Uint8Array => writeSelectors(list);

interface RuleFields {
  readonly group?: number;
  readonly classifier?: number;
  readonly priority?: number;
  readonly action?: number;
  readonly queue?: number;
}

/** A rule whose keys say what header follows; `key` gives further bytes. */
export function ruleData(
  types: readonly number[],
  { group = 0, classifier = 0, priority = 1, action = flowAction.DROP, queue = 0 }: RuleFields = {},
  key: (type: number, at: number) => number | undefined = () => undefined,
): Uint8Array {
  const keys = types.flatMap((type, i) => {
    const next = nextHeaderAt[type];
    const wanted = followedBy[types[i + 1] ?? 0] ?? 0;
    return Array.from({ length: flowSelectorBytes[type] ?? 0 }, (_, at) => {
      const own = key(type, at);
      if (own !== undefined) return own;
      if (next === undefined || at < next.at || at >= next.at + next.bytes) return 0;
      return (wanted >> (8 * (next.at + next.bytes - 1 - at))) & 0xff;
    });
  });
  return Uint8Array.from([
    group,
    0,
    0,
    0,
    classifier,
    0,
    0,
    0,
    priority,
    keys.length,
    action,
    0,
    queue,
    0,
    0,
    0,
    ...keys,
  ]);
}

export const udpTypes: readonly number[] = [flowSelector.ETH, flowSelector.IPV4, flowSelector.UDP];

/** A group, a classifier of UDP over IPv4 by destination port, and a rule about one port. */
export function filterPort(admin: AdminDriver, port: number, change: RuleFields = {}): Answer {
  const isPort = (type: number, at: number): boolean => type === flowSelector.UDP && (at === 2 || at === 3);
  admin.create(flowObject.GROUP, 0, groupData(1));
  admin.create(
    flowObject.CLASSIFIER,
    0,
    classifierData(selectors(udpTypes, (type, at) => (isPort(type, at) ? 0xff : 0))),
  );
  const key = (type: number, at: number): number | undefined =>
    isPort(type, at) ? (at === 2 ? port >> 8 : port & 0xff) : undefined;
  return admin.create(flowObject.RULE, 0, ruleData(udpTypes, change, key));
}
