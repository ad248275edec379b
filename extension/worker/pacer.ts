// Keeps a paced machine from running ahead of the wall clock. It never makes a slow machine hurry, and waiting costs no host CPU.

/** Sleeps shorter than this are saved up, because a timer cannot keep them. */
const shortestSleepMilliseconds = 2;

export class Pacer {
  private wallStart = 0;
  private virtualStart = 0;
  private cancel: (() => void) | undefined;

  /** Virtual and wall time run together from here. */
  begin(virtualNanoseconds: number): void {
    this.wallStart = performance.now();
    this.virtualStart = virtualNanoseconds;
  }

  /** Comes back when the wall clock has caught up; lets messages in at any rate. */
  async holdBack(virtualNanoseconds: number): Promise<void> {
    this.forgive(virtualNanoseconds);
    const ahead = this.millisecondsAhead(virtualNanoseconds);
    if (ahead >= shortestSleepMilliseconds) await this.sleep(ahead);
    else await new Promise((resolve) => setImmediate(resolve));
  }

  /** Waits until `dueNanoseconds` from now have passed as far as the wall clock demands it; returns how much virtual time to skip. */
  async waitFor(virtualNanoseconds: number, dueNanoseconds: number): Promise<number> {
    this.forgive(virtualNanoseconds);
    const ahead = this.millisecondsAhead(virtualNanoseconds + dueNanoseconds);
    if (ahead < shortestSleepMilliseconds) return dueNanoseconds;
    const began = performance.now();
    if (await this.sleep(ahead)) return dueNanoseconds;
    // Woken early (input, pause): only the time that really passed.
    const passed = Math.max(0, Math.floor((performance.now() - began) * 1e6));
    return Math.min(dueNanoseconds, passed);
  }

  /** Waits until `wake`. */
  async forever(): Promise<void> {
    await this.sleep(0x7fff_ffff);
  }

  wake(): void {
    this.cancel?.();
  }

  /** After a long stretch behind (a slow guest), do not let it sprint later. */
  private forgive(virtualNanoseconds: number): void {
    if (this.millisecondsAhead(virtualNanoseconds) < -100) this.begin(virtualNanoseconds);
  }

  private millisecondsAhead(virtualNanoseconds: number): number {
    return (virtualNanoseconds - this.virtualStart) / 1e6 - (performance.now() - this.wallStart);
  }

  /** True when the time was slept in full. */
  private sleep(milliseconds: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.cancel = undefined;
        resolve(true);
      }, milliseconds);
      this.cancel = () => {
        clearTimeout(timer);
        this.cancel = undefined;
        resolve(false);
      };
    });
  }
}
