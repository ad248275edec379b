// Mistakes of a device model. They are a family of their own and never look like the driver's. [virtio 1.4, 2.2.2]
import { missingRequirements, featureDefectText } from '../spec/feature-check';
import { hex, seen } from './evidence';
import { rule, type Rule } from './rule';

export const deviceFaultRules: readonly Rule[] = [
  rule('device-fault', {
    id: 'device.fault',
    title: 'The device model failed',
    why: 'The model broke the contract of its interface or threw an error. What the driver sees from here on is not its fault.',
    fix: 'Correct the device model; the message says what it did.',
    level: 'must',
    blames: 'device',
    covers: [],
    section: '2',
    on: ['device-fault'],
    broken: (fact) => ({ message: fact.message, evidence: [] }),
  }),
  rule('device-fault', {
    id: 'device.offer-inconsistent',
    title: 'The device model offers a feature without one that it needs',
    why: 'No driver can accept the feature correctly, so a correct driver may look wrong.',
    fix: 'Offer the required feature too, or withdraw the dependent one.',
    level: 'must',
    blames: 'device',
    covers: [],
    ancestors: ['akaros.offered-combination'],
    section: '2.2.2',
    once: true,
    on: ['identity-read'],
    broken: (fact, { device: { description } }) => {
      if (fact.register !== 'MagicValue') return false;
      const missing = missingRequirements(description.deviceId, description.offered);
      return (
        missing.length !== 0 && {
          message: `${missing
            .map((defect) => featureDefectText(description.deviceId, defect))
            .join('; ')
            .replaceAll('was accepted', 'is offered')}.`,
          evidence: [seen('offered', hex(description.offered))],
        }
      );
    },
  }),
];
