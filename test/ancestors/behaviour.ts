// What an ancestor of this emulator did, and the tests that show it here, or why there are none.

/** A test: its file and a part of its title, or of the row that makes the title. */
export interface Shown {
  readonly file: string;
  readonly name: string;
}

export type Behaviour = {
  readonly id: string;
  /** What the ancestor did. */
  readonly does: string;
  /** How this emulator differs on purpose. */
  readonly here?: string;
} & ({ readonly tests: readonly Shown[] } | { readonly why: string });

const at =
  (file: string) =>
  (name: string): Shown => ({ file, name });

export const mmio = at('test/unit/virtio/transport/mmio.test.ts');
export const mmioLegacy = at('test/unit/virtio/transport/mmio-legacy.test.ts');
export const pci = at('test/unit/virtio/transport/pci.test.ts');
export const sharedMemory = at('test/unit/virtio/transport/shared-memory.test.ts');
export const model = at('test/unit/virtio/device/model.test.ts');
export const activity = at('test/unit/virtio/activity.test.ts');
export const chain = at('test/unit/virtio/queue/chain.test.ts');
export const draft = at('test/unit/virtio/draft-handshake.test.ts');
export const administration = at('test/unit/virtio/device/administration.test.ts');
export const ringReset = at('test/unit/virtio/queue/ring-reset.test.ts');
export const legal = at('test/unit/rules/legal.test.ts');
export const coverage = at('test/unit/rules/coverage.test.ts');
export const dialectGuest = at('test/guest/dialects.test.ts');
export const ubootGuest = at('test/guest/uboot-transports.test.ts');
/** A violating and a conforming driver of a rule, which test/unit/rules/rules.test.ts runs. */
export const twin = (file: string, rule: string): Shown => ({
  file: `test/unit/rules/twins/${file}.ts`,
  name: `'${rule}'`,
});
