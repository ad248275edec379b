// The rule catalogue: every rule. One access is judged gravest level first, and within a level in this order.
import { administrationRules } from './administration';
import { blockRules } from './block';
import { bufferRules } from './buffers';
import { configRules } from './config';
import { consumptionRules } from './consumption';
import { deviceFaultRules } from './device-fault';
import { consoleRules, entropyRules } from './direction';
import { discoveryRules } from './discovery';
import { draftRules } from './draft-virtio30';
import { featureRules } from './features';
import { handshakeRules } from './handshake';
import { interruptRules } from './interrupt';
import { legacyRules } from './legacy';
import { netControlRules } from './net-control';
import { flowFilterRules } from './net-flow-filter';
import { netReceiveRules } from './net-receive';
import { netTransmitRules } from './net-transmit';
import { netTunnelRules } from './net-tunnel';
import { notificationRules } from './notification';
import { orderingRules } from './ordering';
import { ownershipRules } from './ownership';
import { packedSetupRules } from './packed-setup';
import { packedOrderingRules } from './packed-ordering';
import { packedRules } from './packed';
import { pciRules } from './pci';
import { queueSetupRules } from './queue-setup';
import { registerRules } from './register';
import { ringRules } from './ring';
import type { Rule } from './rule';
import { statusRules } from './status';
import { suspendRules } from './suspend';
import { waitingRules } from './waiting';

export { families, familyNames, type FamilyName } from './families';
export type { Finding, Rule, RuleContext } from './rule';

export const catalogue: readonly Rule[] = [
  ...discoveryRules,
  ...statusRules,
  ...handshakeRules,
  ...suspendRules,
  ...featureRules,
  ...registerRules,
  ...configRules,
  ...legacyRules,
  ...pciRules,
  ...draftRules,
  ...queueSetupRules,
  ...packedSetupRules,
  ...ringRules,
  ...packedRules,
  ...orderingRules,
  ...packedOrderingRules,
  ...ownershipRules,
  ...bufferRules,
  ...consumptionRules,
  ...notificationRules,
  ...interruptRules,
  ...waitingRules,
  ...blockRules,
  ...consoleRules,
  ...entropyRules,
  ...netTransmitRules,
  ...netTunnelRules,
  ...netReceiveRules,
  ...netControlRules,
  ...administrationRules,
  ...flowFilterRules,
  ...deviceFaultRules,
];

const byId = new Map(catalogue.map((row) => [row.id, row]));

/** The rule with this id, or undefined. */
export function ruleById(id: string): Rule | undefined {
  return byId.get(id);
}
