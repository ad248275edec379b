// MSI-X of one function: the table of messages, the pending bits, and which vector each event has. [PCI Local Bus 3.0, 6.8.2; virtio
// 1.4, 4.1.5.1.2]
// Guarantees: a masked vector remembers one message and sends it when it is unmasked; nothing is sent while bus mastering is off.
import type { SavedState, Stateful } from '../../bus/access';
import type { MessageInspection } from '../inspection';
import { noVector } from './pci-registers';

/** Where messages go: a store of 32 bits by the device. */
export type MessageSink = (address: bigint, data: number) => void;

/** What became of a message: `already-pending` is masked, `suppressed` has no vector. */
export interface SentMessage {
  readonly outcome: 'raised' | 'already-pending' | 'suppressed';
  readonly vector: number;
}

export const msixEntryBytes = 16;
/** Vector Control: bit 0 masks. */
const masked = 1;
const controlWord = 3;

export interface MsixGate {
  readonly enabled: boolean;
  readonly functionMasked: boolean;
  readonly busMaster: boolean;
}

export class Msix implements Stateful {
  private readonly words: Uint32Array;
  private readonly pending: Uint32Array;
  private configVector = noVector;
  private queueVectors: number[];

  constructor(
    readonly vectors: number,
    private readonly queues: number,
    private readonly gate: () => MsixGate,
    private readonly sink: MessageSink,
  ) {
    this.words = new Uint32Array(vectors * 4);
    this.pending = new Uint32Array(Math.ceil(vectors / 32));
    this.queueVectors = Array.from({ length: queues }, () => noVector);
    for (let vector = 0; vector < vectors; vector++) this.words[vector * 4 + controlWord] = masked;
  }

  vectorOf(queue: number | undefined): number {
    return queue === undefined ? this.configVector : (this.queueVectors[queue] ?? noVector);
  }

  /** A vector that does not exist cannot be mapped: it then reads as NO_VECTOR. */
  map(queue: number | undefined, vector: number): void {
    const taken = vector < this.vectors ? vector : noVector;
    if (queue === undefined) this.configVector = taken;
    else if (queue < this.queues) this.queueVectors[queue] = taken;
  }

  /** A device reset takes the mapping away; the table belongs to the function and stays. */
  forgetVectors(): void {
    this.configVector = noVector;
    this.queueVectors = this.queueVectors.map(() => noVector);
  }

  /** Sends an event's message, if it may be; undefined while MSI-X is switched off. */
  signal(queue: number | undefined): SentMessage | undefined {
    const { enabled } = this.gate();
    if (!enabled) return undefined;
    const vector = this.vectorOf(queue);
    if (vector === noVector) return { outcome: 'suppressed', vector };
    if (this.maySend(vector)) {
      this.send(vector);
      return { outcome: 'raised', vector };
    }
    this.setPending(vector, true);
    return { outcome: 'already-pending', vector };
  }

  /** After a mask was lifted: what waited is sent. */
  release(): void {
    if (!this.gate().enabled) return;
    for (let vector = 0; vector < this.vectors; vector++) {
      if (!this.isPending(vector) || !this.maySend(vector)) continue;
      this.setPending(vector, false);
      this.send(vector);
    }
  }

  readTable(offset: number): number {
    return this.words[offset >> 2] ?? 0;
  }
  writeTable(offset: number, value: number): void {
    const word = offset >> 2;
    if (word >= this.words.length) return;
    this.words[word] = word % 4 === controlWord ? value & masked : value;
    this.release();
  }
  readPending(offset: number): number {
    return this.pending[offset >> 2] ?? 0;
  }

  inspect(): MessageInspection {
    const { enabled, functionMasked } = this.gate();
    const vectors = Array.from({ length: this.vectors }, (_, vector) => ({
      masked: ((this.words[vector * 4 + controlWord] ?? 0) & masked) !== 0,
      pending: this.isPending(vector),
      ...this.message(vector),
    }));
    return { enabled, functionMasked, vectors, configVector: this.configVector, queueVectors: [...this.queueVectors] };
  }

  save(): SavedState {
    return {
      words: this.words.slice(),
      pending: this.pending.slice(),
      configVector: this.configVector,
      queueVectors: [...this.queueVectors],
    };
  }
  restore(state: SavedState): void {
    const saved = state as { words: Uint32Array; pending: Uint32Array; configVector: number; queueVectors: number[] };
    this.words.set(saved.words);
    this.pending.set(saved.pending);
    this.configVector = saved.configVector;
    this.queueVectors = [...saved.queueVectors];
  }

  private maySend(vector: number): boolean {
    const { functionMasked, busMaster } = this.gate();
    return !functionMasked && busMaster && ((this.words[vector * 4 + controlWord] ?? 0) & masked) === 0;
  }
  private send(vector: number): void {
    const { address, data } = this.message(vector);
    this.sink(address, data);
  }
  private message(vector: number): { readonly address: bigint; readonly data: number } {
    const [low = 0, high = 0, data = 0] = this.words.subarray(vector * 4, vector * 4 + controlWord);
    return { address: (BigInt(high) << 32n) | BigInt(low), data };
  }
  private isPending(vector: number): boolean {
    return (((this.pending[vector >> 5] ?? 0) >>> (vector & 31)) & 1) === 1;
  }
  private setPending(vector: number, on: boolean): void {
    const word = this.pending[vector >> 5] ?? 0;
    this.pending[vector >> 5] = on ? word | (1 << (vector & 31)) : word & ~(1 << (vector & 31));
  }
}
