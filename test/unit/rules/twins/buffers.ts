// Twins for the bytes that the device owns, and for indices accessed in parts. [virtio 1.4, 2.7.6, 3.3.1]
import { blockRequestType } from '../../../../emulator/virtio/spec/block';
import { availableOffset, usedOffset } from '../../../../emulator/virtio/spec/split-ring';
import { blockDevice } from '../../../driver/bench';
import { blockParts, piecesOf } from '../../../driver/block';
import { at, type Twin } from './twin';

/** A header is changed while the device has it, or once it has given it back. */
function changedHeader(rule: string, stackPointer: (header: number) => number): Twin {
  return {
    rule,
    bench: () => ({ devices: [blockDevice()], order: true }),
    script: (d, wrong, bench) => {
      d.start();
      const queue = d.queue();
      const parts = blockParts(d, blockRequestType.IN);
      const change = (): void => bench.store(parts.header.address + 4, 4, 7);
      bench.stackPointer = BigInt(stackPointer(parts.header.address));
      d.storeSlot(queue, d.addChain(queue, piecesOf(parts)));
      queue.availableIndex = 1;
      d.orderStores();
      const pc = at(d, () => d.storeIndex(queue, 1));
      d.notifyIfWanted(queue);
      if (wrong) change();
      d.waitUsed(queue);
      if (!wrong) change();
      return pc;
    },
  };
}

export const bufferTwins: readonly Twin[] = [
  changedHeader('ownership.buffer-changed', () => 0),
  changedHeader('ownership.dead-stack-frame', (header) => header - 0x40),
  {
    rule: 'split.torn-access',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.storeSlot(queue, d.addChain(queue, piecesOf(blockParts(d, blockRequestType.IN))));
      queue.availableIndex = 1;
      const index = queue.available + availableOffset.idx;
      const pc = at(d, () => d.bench.store(index, wrong ? 1 : 2, 1));
      d.notifyIfWanted(queue);
      d.waitUsed(queue);
      return pc;
    },
  },
  {
    rule: 'split.torn-access',
    script: (d, wrong) => {
      d.start();
      return at(d, () => d.ram(d.queue().used + usedOffset.idx, wrong ? 1 : 2));
    },
  },
];
