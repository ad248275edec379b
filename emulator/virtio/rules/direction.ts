// Rules of console and entropy buffers: each queue carries data in one direction only. [virtio 1.4, 5.3.6.1, 5.4.6.1]
import { deviceId } from '../spec/device-id';
import { elementFinding, type Publish } from './chain-evidence';
import { type Finding, rule, type Rule, type RuleContext } from './rule';

/** Elements that go the wrong way, each blamed on the store to its flags. */
function wrongWay(fact: Publish, at: RuleContext, deviceWritable: boolean): readonly Finding[] {
  return fact.chains.flatMap((chain) =>
    chain.elements
      .filter((element) => element.deviceWritable !== deviceWritable)
      .slice(0, 1)
      .map((element) =>
        elementFinding(
          fact,
          at,
          chain,
          element,
          'flags',
          `Queue ${fact.queue}, chain ${chain.head}: descriptor ${element.index} is device-${deviceWritable ? 'readable' : 'writable'}.`,
        ),
      ),
  );
}

export const consoleRules: readonly Rule[] = [
  rule('console', {
    id: 'console.receive-readable',
    title: 'Driver put a device-readable buffer into a receive queue',
    why: 'The device writes incoming characters into these buffers and cannot write into this one.',
    fix: 'Set VIRTQ_DESC_F_WRITE on buffers of the receive queues (0, 2, 4, ...).',
    level: 'must',
    blames: 'descriptor store',
    covers: ['console.op.driver.1'],
    section: '5.3.6.1',
    needs: { device: deviceId.console },
    on: ['publish'],
    broken: (fact, at) => (fact.queue % 2 === 0 ? wrongWay(fact, at, true) : false),
  }),
  rule('console', {
    id: 'console.transmit-writable',
    title: 'Driver put a device-writable buffer into a transmit queue',
    why: 'The device reads outgoing characters from these buffers and ignores what it may only write.',
    fix: 'Clear VIRTQ_DESC_F_WRITE on buffers of the transmit queues (1, 3, 5, ...).',
    level: 'must',
    blames: 'descriptor store',
    covers: ['console.op.driver.2'],
    section: '5.3.6.1',
    needs: { device: deviceId.console },
    on: ['publish'],
    broken: (fact, at) => (fact.queue % 2 === 1 ? wrongWay(fact, at, false) : false),
  }),
];

export const entropyRules: readonly Rule[] = [
  rule('entropy', {
    id: 'entropy.readable',
    title: 'Driver gave the entropy device a buffer to read',
    why: 'The device only writes random bytes; it cannot use a buffer that it may only read.',
    fix: 'Set VIRTQ_DESC_F_WRITE on every descriptor.',
    level: 'must',
    blames: 'descriptor store',
    covers: ['entropy.op.driver.1'],
    section: '5.4.6.1',
    needs: { device: deviceId.entropy },
    on: ['publish'],
    broken: (fact, at) => wrongWay(fact, at, true),
  }),
];
