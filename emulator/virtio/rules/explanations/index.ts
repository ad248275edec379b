// Every explanation, by the id of its rule. Every rule has one.
import { consumptionExplanations } from './consumption';
import { administrationExplanations } from './administration';
import { dialectExplanations } from './dialects';
import type { Explanation } from './explanation';
import { handshakeExplanations } from './handshake';
import { netReceiveControlExplanations } from './net-receive-control';
import { netTransmitExplanations } from './net-transmit';
import { orderingExplanations } from './ordering';
import { packedExplanations } from './packed';
import { pciExplanations } from './pci';
import { requestExplanations } from './requests';
import { ringFeatureExplanations } from './ring-features';
import { ringExplanations } from './rings';
import { setupExplanations } from './setup';

export type { Explanation } from './explanation';

const all: ReadonlyMap<string, Explanation> = new Map(
  [
    handshakeExplanations,
    dialectExplanations,
    setupExplanations,
    pciExplanations,
    ringExplanations,
    packedExplanations,
    orderingExplanations,
    ringFeatureExplanations,
    administrationExplanations,
    consumptionExplanations,
    requestExplanations,
    netTransmitExplanations,
    netReceiveControlExplanations,
  ].flatMap((table) => Object.entries(table)),
);

export function explanationOf(rule: string): Explanation | undefined {
  return all.get(rule);
}
export const explainedRules: readonly string[] = [...all.keys()];
