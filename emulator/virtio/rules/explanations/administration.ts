// Explanations of the rules about administration commands and flow filters. [virtio 1.4, 2.12, 2.13, 5.1.9.6]
import type { ExplanationTable } from './explanation';

export const administrationExplanations: ExplanationTable = {
  'admin.part-empty': {
    demanded: 'A command has a device-readable and a device-writable part, and neither is empty.',
    hardware: 'A device without room for the status drops it, so a failed command looks like one that worked.',
    wrong: `add_buffer(adminq, &command, sizeof command, NULL, 0);`,
    right: `add_buffer(adminq, &command, sizeof command, &answer, sizeof answer);`,
  },
  'admin.part-length': {
    demanded: 'Both parts of a command are multiples of 64 bits long.',
    hardware: 'Hardware moves whole words: the last one is lost, or bytes behind the buffer are overwritten.',
    wrong: `char answer[12];
add_buffer(adminq, &command, sizeof command, answer, sizeof answer);`,
    right: `char answer[16];
add_buffer(adminq, &command, sizeof command, answer, sizeof answer);`,
  },
  'admin.command-short': {
    demanded: 'The device-readable part is at least as long as the structure of its command.',
    hardware: 'Missing fields count as zero: a newer device that uses a reserved field takes the zero for an order.',
    wrong: `add_buffer(adminq, &command, offsetof(struct admin_cmd, group_member_id), &answer, 64);`,
    right: `add_buffer(adminq, &command, sizeof command, &answer, 64);`,
  },
  'admin.list-use-missing': {
    demanded:
      'Before any command but the two about lists, VIRTIO_ADMIN_CMD_LIST_USE has come back with VIRTIO_ADMIN_STATUS_OK for the same group type.',
    hardware:
      'The command fails with VIRTIO_ADMIN_STATUS_Q_INVALID_OPCODE; a driver that takes this for an old device never uses the feature.',
    wrong: `command(LIST_QUERY);
command(CAP_ID_LIST_QUERY);`,
    right: `list = command(LIST_QUERY);
command(LIST_USE, list & understood);
command(CAP_ID_LIST_QUERY);`,
  },
  'admin.command-not-listed': {
    demanded: 'Only commands of the newest successful VIRTIO_ADMIN_CMD_LIST_USE are sent for its group type.',
    hardware:
      'The device refuses them, though it reported them itself. It is seen first where a device has more commands than the one at hand.',
    wrong: `command(LIST_USE, 1 << LIST_QUERY | 1 << LIST_USE);
command(DEVICE_CAP_GET, id);`,
    right: `command(LIST_USE, 1 << LIST_QUERY | 1 << LIST_USE | 1 << DEVICE_CAP_GET);
command(DEVICE_CAP_GET, id);`,
  },
  'admin.list-use-unreported': {
    demanded:
      'VIRTIO_ADMIN_CMD_LIST_USE names only commands that VIRTIO_ADMIN_CMD_LIST_QUERY reported for the same group type.',
    hardware: 'The whole list is refused with VIRTIO_ADMIN_STATUS_EINVAL, and no command works.',
    wrong: `command(LIST_USE, understood);`,
    right: `command(LIST_USE, command(LIST_QUERY) & understood);`,
  },
  'admin.list-use-while-busy': {
    demanded: 'VIRTIO_ADMIN_CMD_LIST_USE is sent only when every other command has come back.',
    hardware:
      'A device with several execution units changes its list while a command is between check and execution; now and then one fails.',
    wrong: `submit(DEVICE_CAP_GET, id);
submit(LIST_USE, more);`,
    right: `submit(DEVICE_CAP_GET, id);
wait_all();
submit(LIST_USE, more);`,
  },
  'admin.capability-exceeded': {
    demanded:
      'A driver capability has no larger limit, no further flag and no further entry than VIRTIO_ADMIN_CMD_DEVICE_CAP_GET reported.',
    hardware:
      'Some devices refuse it, others take what they can: objects that were counted on cannot be created later.',
    wrong: `cap.rules_limit = 100000;
command(DRIVER_CAP_SET, &cap);`,
    right: `cap = command(DEVICE_CAP_GET, id);
cap.rules_limit = min(cap.rules_limit, 100000);
command(DRIVER_CAP_SET, &cap);`,
  },
  'admin.capability-in-use': {
    demanded: 'A capability is not set again while objects that belong to it exist.',
    hardware:
      'The device answers VIRTIO_ADMIN_STATUS_EBUSY, or it throws the objects away and packets take another way.',
    wrong: `command(DRIVER_CAP_SET, &smaller);`,
    right: `destroy_all_rules();
command(DRIVER_CAP_SET, &smaller);`,
  },
  'admin.capability-not-set': {
    demanded:
      'All capabilities that a resource object depends on are set before the first command about such objects; for flow filters these are three.',
    hardware: 'Limits that were never set count as zero, so the first object is one too many.',
    wrong: `command(RESOURCE_OBJ_CREATE, FF_GROUP, 0, &group);`,
    right: `for each of FF_RESOURCE, FF_SELECTOR, FF_ACTION:
  command(DRIVER_CAP_SET, id, command(DEVICE_CAP_GET, id));
command(RESOURCE_OBJ_CREATE, FF_GROUP, 0, &group);`,
  },
  'admin.object-exists': {
    demanded: 'No second object of a type is created with an id that is taken.',
    hardware: 'The device refuses, and the old object goes on: a rule that was to be replaced stays as it was.',
    wrong: `command(RESOURCE_OBJ_CREATE, FF_RULE, 0, &first);
command(RESOURCE_OBJ_CREATE, FF_RULE, 0, &second);`,
    right: `command(RESOURCE_OBJ_CREATE, FF_RULE, 0, &first);
command(RESOURCE_OBJ_MODIFY, FF_RULE, 0, &second);`,
  },
  'admin.object-limit': {
    demanded:
      'There are no more objects of a type than the driver capability says, and their ids lie below that limit.',
    hardware:
      'The device answers VIRTIO_ADMIN_STATUS_ENOSPC; one that indexes a table by the id must not be asked at all.',
    wrong: `for (id = 0; id <= cap.rules_limit; id++) create_rule(id);`,
    right: `for (id = 0; id < cap.rules_limit; id++) create_rule(id);`,
  },
  'admin.object-gone': {
    demanded: 'An object that was destroyed is not modified, queried or destroyed again.',
    hardware: 'The id may belong to another object by then, which is changed in its place.',
    wrong: `destroy(FF_RULE, id);
query(FF_RULE, id);`,
    right: `query(FF_RULE, id);
destroy(FF_RULE, id);`,
  },
  'admin.object-needed': {
    demanded:
      'An object is destroyed only when no other one depends on it: a rule before its group and its classifier.',
    hardware:
      'The device answers VIRTIO_ADMIN_STATUS_EBUSY; a driver that ignores it leaks the object until the next reset.',
    wrong: `destroy(FF_CLASSIFIER, 0);
destroy(FF_RULE, 0);`,
    right: `destroy(FF_RULE, 0);
destroy(FF_CLASSIFIER, 0);`,
  },
  'admin.queue-index': {
    demanded:
      'Administration virtqueues are configured at indices from admin_queue_index to admin_queue_index + admin_queue_num - 1.',
    hardware:
      'On a device that leaves a gap behind its other queues, num_queues is no queue: queue_size reads 0 and the set-up is lost.',
    wrong: `write16(QUEUE_SELECT, read16(NUM_QUEUES) + 1);`,
    right: `write16(QUEUE_SELECT, read16(ADMIN_QUEUE_INDEX));`,
  },
  'net.classifier-order': {
    demanded: 'The first selector of a classifier is Ethernet, a second one IPv4 or IPv6, a third one UDP or TCP.',
    hardware: 'The parser of a card follows the headers of a packet and refuses any other order.',
    wrong: `selectors[0].type = IPV4;`,
    right: `selectors[0].type = ETH;
selectors[1].type = IPV4;`,
  },
  'net.classifier-next-header': {
    demanded:
      'A classifier with a second selector masks all bits of EtherType, and one with a third all bits of Protocol or Next Header.',
    hardware: 'An ARP packet whose bytes happen to look like the address is dropped as if it were IPv4.',
    wrong: `memset(selectors[0].mask, 0, 14);`,
    right: `memset(selectors[0].mask, 0, 14);
selectors[0].mask[12] = selectors[0].mask[13] = 0xff;`,
  },
  'net.rule-ether-type': {
    demanded:
      'The Ethernet key of a rule holds the EtherType of the header that the classifier looks at next, in network byte order.',
    hardware: 'The rule never matches, and what it was to drop comes through.',
    wrong: `*(uint16_t *)&key[12] = 0x0800; /* little-endian */`,
    right: `key[12] = 0x08;
key[13] = 0x00;`,
  },
  'net.rule-protocol': {
    demanded: 'The IP key of a rule holds the protocol number of the transport that the classifier looks at next.',
    hardware: 'The rule never matches; packets go the way they went before.',
    wrong: `key[14 + 9] = 0; /* any protocol */`,
    right: `key[14 + 9] = 17; /* UDP */`,
  },
  'net.rule-priority-shared': {
    demanded: 'Rules of one group have different priorities.',
    hardware: 'Which of two matching rules acts differs from card to card, and may change when a rule is added.',
    wrong: `rule[0].rule_priority = rule[1].rule_priority = 1;`,
    right: `for (i = 0; i < count; i++) rule[i].rule_priority = count - i;`,
  },
  'net.selector-mask-partial': {
    demanded: 'Without VIRTIO_NET_FF_MASK_F_PARTIAL_MASK the mask of a field has all bits set or none.',
    hardware: 'A card that compares whole fields refuses the classifier, or matches more than was meant.',
    wrong: `selectors[0].mask[0] = 1; /* the multicast bit */`,
    right: `selectors[0].flags = PARTIAL_MASK; /* where offered */
selectors[0].mask[0] = 1;`,
  },
};
