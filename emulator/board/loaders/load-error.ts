// What is wrong with a file or a size that the user gave, said so that it can be put right.

/** The launch attribute to blame. */
export type LoadAttribute = 'program' | 'bios' | 'initrd' | 'dtb' | 'memory' | 'append';

export class LoadError extends Error {
  override readonly name = 'LoadError';

  /**
   * @param attribute the launch attribute that the user should look at
   * @param message what was expected, what was found, and what to do
   */
  constructor(
    readonly attribute: LoadAttribute,
    message: string,
  ) {
    super(message);
  }
}
