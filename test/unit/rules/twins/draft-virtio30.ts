// Twins for the VIRTIO-30 draft's handshake.
import { DEVICE_OK } from '../../../../emulator/virtio/spec/dialect';
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { status } from '../../../../emulator/virtio/spec/status';
import { type Bench, blockDevice } from '../../../driver/bench';
import type { ScriptedDriver } from '../../../driver/driver';
import { at, type Twin } from './twin';

function twin(
  rule: string,
  script: (driver: ScriptedDriver, wrong: boolean, bench: Bench) => bigint | undefined,
  rules: Readonly<Record<string, string>> = {},
): Twin {
  return { rule, bench: () => ({ devices: [blockDevice({ dialect: 'draft-virtio30' })], rules }), script };
}

function introduce(d: ScriptedDriver): void {
  d.probe();
  d.reset();
  d.acknowledge();
}

/** Sets a bit and reads the device's answer. */
function ask(d: ScriptedDriver, bit: number): boolean {
  d.addStatus(bit);
  return (d.read('Status') & bit) !== 0;
}

function setUp(d: ScriptedDriver): void {
  introduce(d);
  d.negotiate();
  ask(d, status.DRIVER);
  d.setUpQueue(0);
}

/** What the device does not offer: its answer is no. */
const unknown = featureSet(feature.VERSION_1) | (1n << 23n);

export const draftTwins: readonly Twin[] = [
  twin('draft.step-skipped', (d, wrong) => {
    introduce(d);
    d.negotiate();
    if (!wrong) ask(d, status.DRIVER);
    return at(d, () => d.addStatus(status.DRIVER_OK));
  }),
  twin('draft.step-skipped', (d, wrong) => {
    setUp(d);
    if (wrong) return at(d, () => d.write('Status', d.statusNow | status.DRIVER_OK | DEVICE_OK));
    ask(d, status.DRIVER_OK);
    return at(d, () => d.addStatus(DEVICE_OK));
  }),
  twin('draft.features-after-driver', (d, wrong) => {
    introduce(d);
    if (wrong) d.readOffer();
    else d.negotiate();
    return at(d, () => d.driver());
  }),
  twin('draft.features-grew', (d, wrong) => {
    introduce(d);
    d.negotiate();
    ask(d, status.DRIVER);
    d.selectDriverFeatures(0);
    return at(d, () => d.write('DriverFeatures', wrong ? 1 << feature.INDIRECT_DESC : 0));
  }),
  twin('draft.features-after-driver-ok', (d, wrong) => {
    setUp(d);
    if (wrong) ask(d, status.DRIVER_OK);
    d.selectDriverFeatures(0);
    return at(d, () => d.write('DriverFeatures', 0));
  }),
  twin('draft.answer-not-read', (d, wrong) => {
    introduce(d);
    d.negotiate();
    d.driver();
    if (!wrong) d.read('Status');
    d.readMaximumSize();
    return at(d, () => d.write('QueueSize', 8));
  }),
  twin('draft.answer-not-read', (d, wrong) => {
    setUp(d);
    d.addStatus(status.DRIVER_OK);
    if (!wrong) d.read('Status');
    return at(d, () => d.addStatus(DEVICE_OK));
  }),
  twin(
    'draft.refusal-ignored',
    (d, wrong) => {
      introduce(d);
      d.readOffer();
      d.accepted = unknown;
      d.writeFeatures();
      ask(d, status.DRIVER);
      if (!wrong) {
        d.statusNow &= ~status.DRIVER;
        d.accepted = featureSet(feature.VERSION_1);
        d.writeFeatures();
        ask(d, status.DRIVER);
      }
      d.readMaximumSize();
      return at(d, () => d.write('QueueSize', 8));
    },
    { 'features.over-accepted': 'off' },
  ),
  twin('draft.device-ok-missing', (d, wrong, bench) => {
    setUp(d);
    ask(d, status.DRIVER_OK);
    if (!wrong) d.addStatus(DEVICE_OK);
    bench.idle();
    return undefined;
  }),
];
