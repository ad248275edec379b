// The launch configuration as the user writes it: its types. Checked by `parseLaunchConfiguration` before anything starts.
import type { Aia, PciOptions, SharedMemoryOptions } from '../../emulator/configuration';
import type { MoodSwitch } from '../../emulator/virtio/mood';

export type DeviceType = 'block' | 'console' | 'entropy' | 'net';

export type Transport = 'mmio' | 'mmio-legacy' | 'pci' | 'pci-transitional' | 'pci-legacy';

/** The handshakes that can be spoken over `mmio`. */
export type Dialect = '1.x' | 'draft-virtio30';

export interface DeviceEntry {
  readonly type: DeviceType;
  readonly name: string;
  readonly transport: Transport;
  readonly dialect: Dialect;
  readonly pci?: PciOptions;
  readonly slot?: number;
  readonly queueSize?: number;
  readonly sharedMemory?: readonly SharedMemoryOptions[];
  /** `packed`: VIRTIO_F_RING_PACKED is offered. */
  readonly ring: 'split' | 'packed';
  /** `+EVENT_IDX`, `-INDIRECT_DESC` */
  readonly features: readonly string[];
  /** Virtual nanoseconds. */
  readonly fetchNanoseconds: number;
  readonly completeNanoseconds: number;
  readonly onDriverError: 'qemu' | 'needs-reset' | 'ignore';
  /** Switches of `emulator/virtio/mood.ts`. */
  readonly mood: readonly MoodSwitch[];
  readonly hostile: boolean;
  /** Block only. Absolute path. */
  readonly image?: string;
  readonly mode?: 'overlay' | 'readonly' | 'write';
  readonly serial?: string;
  /** Network devices only. */
  readonly network?: NetworkEntry;
}

export type NetworkBackendName = 'none' | 'loopback' | 'user' | 'hub' | 'replay';

export interface NetworkEntry {
  readonly backend: NetworkBackendName;
  /** Six bytes. */
  readonly address: readonly number[];
  readonly mtu: number;
  readonly pairs: number;
  /** Virtual nanoseconds after DRIVER_OK at which the device asks the driver to announce itself. */
  readonly announceNanoseconds?: number;
  /** Every frame is written there. Absolute path, like the next two. */
  readonly capture?: string;
  /** The capture whose frames the device receives. */
  readonly replay?: string;
  /** Folder whose files the gateway serves by TFTP, and the file that DHCP tells to load. */
  readonly tftp?: string;
  readonly bootFile?: string;
}

export interface LaunchConfiguration {
  readonly name: string;
  /** The guest to load: absolute path. */
  readonly guest?: string;
  /** Files that supply symbols: the guest itself unless `kernel` is loaded and `program` names its symbols. */
  readonly symbols: readonly string[];
  readonly bios: { readonly kind: 'automatic' | 'builtin' | 'none' } | { readonly kind: 'file'; readonly path: string };
  readonly initrd?: string;
  readonly append?: string;
  readonly dtb?: string;
  readonly memoryBytes: number;
  /** Host memory for going back in time; 0: off. */
  readonly historyBytes: number;
  readonly harts: number;
  readonly aia: Aia;
  readonly devices: readonly DeviceEntry[];
  readonly rules: readonly { readonly pattern: string; readonly action: 'break' | 'report' | 'off' }[];
  /** Globs over function names whose frames are passed over when blaming a line. */
  readonly accessors: readonly string[];
  readonly clock: 'paced' | 'warp';
  readonly seed: number;
  readonly stopOnEntry: boolean;
  /** Folder against which the debug information's relative paths are looked up. */
  readonly sourceFolder?: string;
}
