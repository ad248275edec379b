// The test finisher: one register through which a guest ends the machine. [SiFive test device, `sifive,test1`]
import type { AccessSize, MmioRegion } from '../bus/access';
import type { FinishOutcome } from './contract';
import { memoryMap } from './memory-map';
import { RegisterBank } from './registers';

/** Commands in the low 16 bits; a failure carries its code in the high 16. */
export const finisherCommand = { fail: 0x3333, pass: 0x5555, reset: 0x7777 } as const;

const bank = new RegisterBank<TestFinisher>(
  [
    {
      offset: 0,
      name: 'finisher',
      write: (device, value) => device.command(value),
    },
  ],
  { widths: [2, 4], valueBits: 32 },
);

export class TestFinisher implements MmioRegion {
  readonly name = 'test finisher';
  readonly base = memoryMap.testFinisher.base;
  readonly sizeBytes = memoryMap.testFinisher.sizeBytes;

  constructor(private readonly finish: (outcome: FinishOutcome) => void) {}

  read(offset: number, size: AccessSize): bigint | undefined {
    return bank.read(this, offset, size);
  }
  peek(offset: number, size: AccessSize): bigint | undefined {
    return bank.peek(this, offset, size);
  }
  write(offset: number, size: AccessSize, value: bigint): boolean {
    return bank.write(this, offset, size, value);
  }

  /** What is written to the register; unknown commands are ignored. */
  command(value: number): void {
    switch (value & 0xffff) {
      case finisherCommand.fail:
        this.finish({ kind: 'fail', code: value >>> 16 });
        break;
      case finisherCommand.pass:
        this.finish({ kind: 'power-off' });
        break;
      case finisherCommand.reset:
        this.finish({ kind: 'reset' });
        break;
    }
  }
}
