// What crosvm's first mmio transport did: its registers, its trait for device models, and when it went live.
import { type Behaviour, mmio, model, twin } from './behaviour';

/** A register, whose row in the table of the mmio test bears the id. */
const register = (name: string, does: string, more: readonly string[] = [], here?: string): Behaviour => ({
  id: `crosvm.reg.${name}`,
  does,
  ...(here === undefined ? {} : { here }),
  tests: [mmio(`'crosvm.reg.${name}'`), ...more.map(mmio)],
});

export const crosvm: readonly Behaviour[] = [
  register('magicvalue', 'MagicValue is read at 0x000.', ['identifies itself']),
  register('version', 'Version, at 0x004, is 2.', ['identifies itself']),
  register('deviceid', 'DeviceID, at 0x008, is that of a disk, always.', ['identifies itself'], 'it is the device’s own'),
  register('vendorid', 'VendorID, at 0x00c, is 0.', ['identifies itself'], 'it is QEMU’s'),
  register('devicefeatures', 'DeviceFeatures, at 0x010, shows the chosen half of the offer, VERSION_1 always in it.', ['shows 32 bits at a time']),
  register('devicefeaturessel', 'DeviceFeaturesSel, at 0x014, chooses that half.', ['shows 32 bits at a time']),
  register('driverfeatures', 'DriverFeatures, at 0x020, accepts a half, with value and window mixed up.', ['merges the words that the driver writes'], 'they are not mixed up'),
  register('driverfeaturessel', 'DriverFeaturesSel, at 0x024, chooses the half to accept.', ['merges the words that the driver writes']),
  register('queuesel', 'QueueSel, at 0x030, takes any number.', ['(akaros.b.queue-sel-invalid)']),
  register('queuenummax', 'QueueNumMax, at 0x034, is 0 where there is no queue.', ['(akaros.b.queue-sel-invalid)']),
  register('queuenum', 'QueueNum, at 0x038, takes any size.', ['drops sizes of 0 and above the maximum'], 'a size that cannot be is dropped'),
  register('queueready', 'QueueReady, at 0x044, is set by 1 and cleared by all else.', ['(akaros.b.queue-ready-toggle)'], 'other values do nothing'),
  register('queuenotify', 'QueueNotify, at 0x050, is caught before the register file sees it.', ['ignores notifications of queues that do not exist'], 'it is a register like any other'),
  register('interruptstatus', 'InterruptStatus, at 0x060, shows what is pending.', ['(akaros.b.isr-ack)']),
  register('interruptack', 'InterruptACK, at 0x064, takes bits away.', ['(akaros.b.isr-ack)']),
  register('status', 'Status, at 0x070, keeps what is written; 0 resets nothing.', ['0 resets everything the driver made'], '0 resets the device'),
  register('queuedesc.low-high', 'The descriptor table’s address comes in two halves, at 0x080.', ['merges address halves']),
  register('queueavail.low-high', 'So does that of the driver’s area, at 0x090.', ['merges address halves']),
  register('queueused.low-high', 'So does that of the device’s area, at 0x0a0.', ['merges address halves']),
  { id: 'crosvm.reg.configgeneration', does: 'ConfigGeneration, at 0x0fc, stays the same.', here: 'it moves with the configuration', tests: [mmio("'crosvm.reg.configgeneration'"), model('changes its configuration: new generation')] },
  { id: 'crosvm.reg.device', does: 'Configuration from 0x100 on goes to the device, in aligned words only.', here: 'bytes and halfwords do too', tests: [mmio('(crosvm.reg.device)')] },
  { id: 'crosvm.width', does: 'Only accesses of four bytes count; others are noted and dropped, configuration included.', here: 'configuration takes other widths', tests: [mmio('(crosvm.width)')] },
  { id: 'crosvm.unknown', does: 'Where no register is, 0 is read and writes are lost, with a line in the log.', here: 'the line is an event', tests: [mmio('(crosvm.unknown)')] },
  { id: 'crosvm.activation', does: 'The device goes live once, when the four status bits of a good start are set and no other.', here: 'other bits than FAILED do not hinder it', tests: [mmio('(crosvm.activation,')] },
  { id: 'crosvm.activation-moves', does: 'Going live gives the device all it needs, for good.', tests: [mmio('crosvm.activation-moves'), model('crosvm.trait.activate')] },
  { id: 'crosvm.queue-after-activate', does: 'Writing to a queue of a live device makes a warning.', here: 'the write is dropped and a rule reports it', tests: [mmio('(crosvm.queue-after-activate)'), twin('queue-setup', 'queue.changed-while-ready')] },
  { id: 'crosvm.trait.queue_max_sizes', does: 'A model names the largest size of each of its queues.', tests: [model('(crosvm.trait.queue_max_sizes')] },
  { id: 'crosvm.trait.features', does: 'A model names what it offers; by default nothing.', tests: [model('crosvm.trait.features)')] },
  { id: 'crosvm.trait.ack_features', does: 'A model is told what was accepted.', tests: [model('(crosvm.trait.ack_features')] },
  { id: 'crosvm.trait.read_config', does: 'A model answers reads of its configuration.', tests: [model('(crosvm.trait.read_config')] },
  { id: 'crosvm.trait.write_config', does: 'A model takes writes of its configuration.', tests: [model('crosvm.trait.write_config)')] },
  { id: 'crosvm.trait.activate', does: 'A model is started with memory, interrupt and queues.', tests: [model('crosvm.trait.activate')] },
  { id: 'crosvm.trait.reset', does: 'A model may be reset and gives back what it was started with.', tests: [model('crosvm.trait.reset)')] },
  { id: 'crosvm.install', does: 'A device is joined to the machine by window, notification and interrupt line.', tests: [model('(crosvm.install)')] },
  { id: 'crosvm.size', does: 'Each device has a page of 4096 bytes.', tests: [mmio('(crosvm.size)')] },
  { id: 'crosvm.status-bits', does: 'The five status bits of its time and the bit of a used buffer have their numbers.', tests: [mmio('(crosvm.status-bits)')] },
]; // prettier-ignore
