// Holds the dialogue of a `ringside run --script` file with QEMU instead: the same questions, the oracle's answers.
import { spawn } from 'node:child_process';
import { Dialogue, parseScript } from '../../../extension/cli/dialogue';

/** Only ends a hung guest; no result depends on it. */
const hangMilliseconds = 120_000;

/**
 * @param words QEMU's arguments, without those of its console
 * @returns everything that the guest printed until the script ended
 */
export function holdDialogueOnQemu(words: readonly string[], scriptName: string, script: string): Promise<string> {
  const dialogue = new Dialogue(parseScript(scriptName, script));
  return new Promise((resolve, reject) => {
    const qemu = spawn('qemu-system-riscv64', ['-display', 'none', '-monitor', 'none', '-serial', 'stdio', ...words]);
    let output = '';
    const finish = (action: () => void): void => {
      clearTimeout(hung);
      qemu.kill();
      action();
    };
    const hung = setTimeout(
      () => finish(() => reject(new Error(`the dialogue with QEMU hangs: ${output}`))),
      hangMilliseconds,
    );
    const goOn = (): void => {
      for (;;) {
        const progress = dialogue.next();
        if (progress.kind === 'waiting') return;
        if (progress.kind === 'done') {
          finish(() => resolve(output));
          return;
        }
        qemu.stdin.write(progress.bytes);
      }
    };
    qemu.on('error', (error) => finish(() => reject(new Error('qemu-system-riscv64 cannot be run; on Debian: apt install qemu-system-misc', { cause: error })))); // prettier-ignore
    qemu.stdout.on('data', (bytes: Buffer) => {
      const text = bytes.toString('latin1');
      output += text;
      dialogue.hear(text);
      goOn();
    });
    qemu.on('close', () => finish(() => reject(new Error(`QEMU ended in the middle of the dialogue: ${output}`))));
    goOn();
  });
}
