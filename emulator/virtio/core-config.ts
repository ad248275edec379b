// The device-specific configuration space of one virtio device as its driver sees it: which fields exist, what lies beyond them, and the
// generation that tells of changes. [virtio 1.4, 2.5]
// Guarantees: reading changes nothing; writes beyond the end never reach the device model.
import type { ConfigField, VirtioDevice } from './device/interface';
import type { ConfigFieldInspection } from './inspection';
import { type DeviceMood, poisonByte } from './mood';
import { hasFeature } from './spec/feature';

export class CoreConfig {
  /** Changes, modulo 2 to the 32, that the driver can see by reading the generation. */
  generation = 0;

  constructor(
    private readonly device: VirtioDevice,
    private readonly offered: bigint,
    private readonly mood: DeviceMood,
  ) {}

  advance(): void {
    this.generation = (this.generation + 1) >>> 0;
  }

  /** Bytes up to the last field that exists with the offered features. [2.5] */
  get length(): number {
    return this.presentFields().reduce((end, field) => Math.max(end, field.offset + field.size), 0);
  }

  /** The described field that holds this byte. */
  field(offset: number): ConfigField | undefined {
    return this.presentFields().find((f) => offset >= f.offset && offset < f.offset + f.size);
  }

  /** Little-endian; all ones where the space ends before the access does, as QEMU answers. */
  read(offset: number, size: number): bigint {
    if (offset + size > this.length) return (1n << BigInt(size * 8)) - 1n;
    const bytes = this.device.readConfig(offset, size);
    if (!this.mood.has('poisonedConfig')) return littleEndianValue(bytes, size);
    const present = bytes.map((byte, i) => (this.field(offset + i) === undefined ? poisonByte : byte));
    return littleEndianValue(present, size);
  }

  /** All of it as it stands now. */
  bytes(): Uint8Array {
    return this.device.readConfig(0, this.length).slice();
  }

  inspect(): ConfigFieldInspection[] {
    return this.device.configFields.map((field) => ({
      ...field,
      feature: field.feature,
      present: this.isPresent(field),
      value: this.read(field.offset, field.size),
    }));
  }

  private presentFields(): ConfigField[] {
    return this.device.configFields.filter((field) => this.isPresent(field));
  }
  private isPresent({ feature }: ConfigField): boolean {
    return feature === undefined || hasFeature(this.offered, feature);
  }
}

function littleEndianValue(bytes: Uint8Array, size: number): bigint {
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0);
  return value;
}
