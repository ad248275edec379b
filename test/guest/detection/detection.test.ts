// Every scripted bug is named by exactly its rule, and its corrected twin is not reported at all.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ruleById } from '../../../emulator/virtio/rules';
import type { Violation } from '../../../emulator/virtio/violation';
import { collectedBugs, withoutScript } from './bugs';
import { detections } from './cases';
import { runDetection } from './detection';

const text = ({ rule, message }: Violation): string => `${rule}: ${message}`;

for (const detection of detections) {
  describe(`${detection.bug}: a driver that ${detection.does}`, () => {
    const { causes, falseAlarms } = runDetection(detection);
    test(`is caught by ${detection.rule} alone`, () => {
      assert.ok(ruleById(detection.rule), `there is no rule ${detection.rule}`);
      assert.deepEqual(
        [...new Set(causes.map(({ rule }) => rule))],
        [detection.rule],
        `found ${causes.map(text).join(' | ') || 'nothing'}`,
      );
    });
    test('its corrected twin is not reported', () => {
      assert.deepEqual(falseAlarms.map(text), []);
    });
  });
}

test('every bug of the collection has a script or a reason, and not both', () => {
  const scripted = new Set(detections.map(({ bug }) => bug));
  const known = new Set(collectedBugs.map(({ id }) => id));
  assert.equal(collectedBugs.length, 115);
  assert.deepEqual(
    collectedBugs.filter(({ id }) => scripted.has(id) === withoutScript.has(id)).map(({ id }) => id),
    [],
  );
  assert.deepEqual(
    [...scripted, ...withoutScript.keys()].filter((id) => !known.has(id)),
    [],
  );
});
