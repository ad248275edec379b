// Twins for administration commands and the flow filters that they set up. [virtio 1.4, 2.12, 2.13, 5.1.9.6]
import { adminOpcode } from '../../../../emulator/virtio/spec/administration';
import { flowCapability, flowObject, flowSelector } from '../../../../emulator/virtio/spec/net-flow-filter';
import {
  AdminDriver,
  adminFeatures,
  allCommands,
  classifierData,
  command,
  groupData,
  resource,
  ruleData,
  selectors,
  udpTypes,
  withoutAddress,
  words,
} from '../../../driver/administration';
import { netDevice } from '../../../driver/bench';
import { PciDriver } from '../../../driver/pci-driver';
import { at, negotiate, type Twin } from './twin';

/** The last store of a publish is the one that exposes it. */
const storesBefore = 4n;

function twin(rule: string, script: (admin: AdminDriver, wrong: boolean) => bigint | undefined): Twin {
  return {
    rule,
    bench: () => ({
      devices: [netDevice({ transport: 'pci', featuresOn: adminFeatures, featuresOff: withoutAddress })],
    }),
    script: (_, wrong, bench) => {
      const admin = AdminDriver.start(new PciDriver(bench, { features: adminFeatures }), [0, 1]);
      return script(admin, wrong);
    },
  };
}

/** Publishes a command that is broken in the violating driver; returns the pc of the store that exposes it. */
function publish(admin: AdminDriver, bytes: Uint8Array | undefined, writable?: number): bigint {
  admin.publish(bytes, writable);
  const pc = admin.driver.bench.nextPc - storesBefore;
  admin.driver.notifyIfWanted(admin.queue);
  admin.driver.waitUsed(admin.queue);
  return pc;
}
const listQuery = command(adminOpcode.LIST_QUERY, new Uint8Array(0));
const { ETH, IPV4, UDP } = flowSelector;

/** Flow filters in use, with a group and a classifier. */
function prepared(admin: AdminDriver): void {
  admin.useFlowFilters();
  admin.create(flowObject.GROUP, 0, groupData(1));
  admin.create(flowObject.CLASSIFIER, 0, classifierData(selectors(udpTypes)));
}
function changed(bytes: Uint8Array, place: number, value: number): Uint8Array {
  const copy = bytes.slice();
  copy[place] = value;
  return copy;
}
function capability(admin: AdminDriver, id: number): Uint8Array {
  return Uint8Array.from([...words(BigInt(id)), ...admin.send(adminOpcode.DEVICE_CAP_GET, words(BigInt(id))).result]);
}

export const administrationTwins: readonly Twin[] = [
  twin('admin.part-empty', (admin, wrong) => publish(admin, listQuery, wrong ? 0 : 16)),
  twin('admin.part-empty', (admin, wrong) => publish(admin, wrong ? undefined : listQuery)),
  twin('admin.part-length', (admin, wrong) => publish(admin, listQuery, wrong ? 20 : 24)),
  twin('admin.part-length', (admin, wrong) =>
    publish(admin, wrong ? Uint8Array.from([...listQuery, 0, 0]) : listQuery),
  ),
  twin('admin.command-short', (admin, wrong) => {
    admin.useAll();
    const whole = command(adminOpcode.CAP_ID_LIST_QUERY, new Uint8Array(0));
    return publish(admin, wrong ? whole.slice(0, 16) : whole);
  }),
  twin('admin.list-use-missing', (admin, wrong) => {
    if (!wrong) admin.useAll();
    return publish(admin, command(adminOpcode.CAP_ID_LIST_QUERY, new Uint8Array(0)));
  }),
  twin('admin.command-not-listed', (admin, wrong) => {
    admin.send(adminOpcode.LIST_QUERY);
    admin.send(adminOpcode.LIST_USE, words(wrong ? 3n : allCommands));
    return publish(admin, command(adminOpcode.CAP_ID_LIST_QUERY, new Uint8Array(0)));
  }),
  twin('admin.list-use-unreported', (admin, wrong) => {
    admin.send(adminOpcode.LIST_QUERY);
    return publish(admin, command(adminOpcode.LIST_USE, words(wrong ? allCommands | 4n : allCommands)));
  }),
  twin('admin.list-use-unreported', (admin, wrong) => {
    if (!wrong) admin.send(adminOpcode.LIST_QUERY);
    return publish(admin, command(adminOpcode.LIST_USE, words(3n)));
  }),
  twin('admin.list-use-while-busy', (admin, wrong) => {
    admin.send(adminOpcode.LIST_QUERY);
    admin.publish(listQuery);
    if (!wrong) {
      admin.driver.notifyIfWanted(admin.queue);
      admin.wait();
    }
    const pc = publish(admin, command(adminOpcode.LIST_USE, words(allCommands)));
    if (wrong) admin.driver.waitUsed(admin.queue);
    return pc;
  }),
  twin('admin.capability-exceeded', (admin, wrong) => {
    admin.useAll();
    const data = capability(admin, flowCapability.RESOURCE);
    return publish(admin, command(adminOpcode.DRIVER_CAP_SET, wrong ? changed(data, 9, 1) : data));
  }),
  twin('admin.capability-exceeded', (admin, wrong) => {
    admin.useAll();
    const data = capability(admin, flowCapability.ACTION);
    return publish(admin, command(adminOpcode.DRIVER_CAP_SET, wrong ? changed(data, 16, 3) : data));
  }),
  twin('admin.capability-exceeded', (admin, wrong) => {
    admin.useAll();
    const data = capability(admin, flowCapability.SELECTOR);
    return publish(admin, command(adminOpcode.DRIVER_CAP_SET, wrong ? changed(data, 16, 6) : data));
  }),
  twin('admin.capability-in-use', (admin, wrong) => {
    admin.useFlowFilters();
    const data = capability(admin, flowCapability.RESOURCE);
    admin.create(flowObject.GROUP, 0, groupData(1));
    if (!wrong) admin.destroy(flowObject.GROUP, 0);
    return publish(admin, command(adminOpcode.DRIVER_CAP_SET, data));
  }),
  twin('admin.capability-not-set', (admin, wrong) => {
    if (wrong) admin.useAll();
    else admin.useFlowFilters();
    return published(admin, adminOpcode.RESOURCE_OBJ_CREATE, flowObject.GROUP, 0, groupData(1));
  }),
  twin('admin.object-exists', (admin, wrong) => {
    prepared(admin);
    return published(admin, adminOpcode.RESOURCE_OBJ_CREATE, flowObject.GROUP, wrong ? 0 : 1, groupData(2));
  }),
  twin('admin.object-limit', (admin, wrong) => {
    prepared(admin);
    return published(admin, adminOpcode.RESOURCE_OBJ_CREATE, flowObject.GROUP, wrong ? 8 : 7, groupData(2));
  }),
  twin('admin.object-gone', (admin, wrong) => {
    prepared(admin);
    if (wrong) admin.destroy(flowObject.GROUP, 0);
    return published(admin, adminOpcode.RESOURCE_OBJ_QUERY, flowObject.GROUP, 0, new Uint8Array(0));
  }),
  twin('admin.object-needed', (admin, wrong) => {
    prepared(admin);
    admin.create(flowObject.RULE, 0, ruleData(udpTypes));
    if (!wrong) admin.destroy(flowObject.RULE, 0);
    return published(admin, adminOpcode.RESOURCE_OBJ_DESTROY, flowObject.CLASSIFIER, 0, new Uint8Array(0));
  }),
  {
    rule: 'admin.queue-index',
    bench: () => ({
      devices: [netDevice({ transport: 'pci', featuresOn: adminFeatures, featuresOff: withoutAddress })],
    }),
    script: (_, wrong, bench) => {
      const d = new PciDriver(bench, { features: adminFeatures });
      negotiate(d);
      d.selectQueue(d.field('admin_queue_index') + (wrong ? 1 : 0));
      d.readMaximumSize();
      return at(d, () => d.writeQueueSize(8));
    },
  },
  twin('net.classifier-order', (admin, wrong) => {
    admin.useFlowFilters();
    const types = wrong ? [ETH, UDP] : [ETH, IPV4, UDP];
    const own = classifierData(selectors(types));
    return published(admin, adminOpcode.RESOURCE_OBJ_CREATE, flowObject.CLASSIFIER, 0, own);
  }),
  twin('net.classifier-next-header', (admin, wrong) => {
    admin.useFlowFilters();
    const own = classifierData(selectors([ETH, IPV4]));
    const etherType = 8 + 8 + 12;
    const data = wrong ? changed(own, etherType, 0) : own;
    return published(admin, adminOpcode.RESOURCE_OBJ_CREATE, flowObject.CLASSIFIER, 0, data);
  }),
  twin('net.rule-ether-type', (admin, wrong) => {
    prepared(admin);
    const own = ruleData(udpTypes);
    const data = wrong ? changed(own, 16 + 12, 0x86) : own;
    return published(admin, adminOpcode.RESOURCE_OBJ_CREATE, flowObject.RULE, 0, data);
  }),
  twin('net.rule-protocol', (admin, wrong) => {
    prepared(admin);
    const own = ruleData(udpTypes);
    const data = wrong ? changed(own, 16 + 14 + 9, 6) : own;
    return published(admin, adminOpcode.RESOURCE_OBJ_CREATE, flowObject.RULE, 0, data);
  }),
  twin('net.rule-priority-shared', (admin, wrong) => {
    prepared(admin);
    admin.create(flowObject.RULE, 0, ruleData(udpTypes));
    const own = ruleData(udpTypes, { priority: wrong ? 1 : 2 });
    return published(admin, adminOpcode.RESOURCE_OBJ_CREATE, flowObject.RULE, 1, own);
  }),
  twin('net.selector-mask-partial', (admin, wrong) => {
    admin.useFlowFilters();
    const own = classifierData(selectors([ETH], (_, place) => (place === 0 ? (wrong ? 1 : 0xff) : 0)));
    return published(admin, adminOpcode.RESOURCE_OBJ_CREATE, flowObject.CLASSIFIER, 0, own);
  }),
];

function published(admin: AdminDriver, opcode: number, type: number, id: number, own: Uint8Array): bigint {
  return publish(admin, command(opcode, resource(type, id, own)));
}
