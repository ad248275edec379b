// What a machine is made of: plain data, already validated and with all files read. The extension and the command line build it.
import type { MoodSwitch } from './virtio/mood';
import type { DialectName } from './virtio/spec/dialect';
import type { TransportName } from './virtio/spec/feature';

export type OnDriverError = 'qemu' | 'needs-reset' | 'ignore';

/** The structures that a virtio-pci capability can point to, and capabilities that drivers have to pass over. */
export type PciCapabilityName =
  | 'common'
  | 'notify'
  | 'isr'
  | 'device'
  | 'config-access'
  | 'shared-memory'
  | 'vendor'
  | 'reserved-type'
  | 'reserved-bar';

/** A shared memory region. [virtio 1.4, 2.10] */
export interface SharedMemoryOptions {
  /** 0 to 255, each once. */
  readonly id: number;
  /** A multiple of 4096, up to 1 MiB. */
  readonly bytes: number;
}

/** How a virtio-pci device lays itself out. Whatever is undefined is as on QEMU. [virtio 1.4, 4.1.4] */
export interface PciOptions {
  /** In the order of the list. A name may come again: the structure then stands at another place too. */
  readonly capabilities?: readonly PciCapabilityName[];
  /** Base address register of the structures, and its kind. */
  readonly bar?: 0 | 2 | 4;
  readonly barSpace?: 'memory32' | 'memory64';
  /** Bytes between the structures, and from the start of the register to the first; multiples of 4. */
  readonly spacing?: number;
  readonly firstOffset?: number;
  /** 0 or an even power of two. */
  readonly notifyOffMultiplier?: number;
  /** queue_notify_off of each queue; missing ones follow the queue's index. */
  readonly queueNotifyOff?: readonly number[];
  /** queue_notif_config_data of each queue, for VIRTIO_F_NOTIF_CONFIG_DATA; missing ones are 0x100 plus the queue's index. */
  readonly queueNotifConfigData?: readonly number[];
  /** Bytes that cap_len counts beyond the structure. */
  readonly capabilityPadding?: number;
  readonly revision?: number;
  /** MSI-X vectors, 0 for none. Undefined: one for each queue and one more where the board takes messages. */
  readonly msixVectors?: number;
}

export interface DeviceConfigurationBase {
  /** Unique name, e.g. `vda`. */
  readonly name: string;
  /** How driver and device reach each other. Undefined: `mmio`. */
  readonly transport?: TransportName;
  /** The handshake over a modern interface. Undefined: `1.x`. */
  readonly dialect?: Exclude<DialectName, 'legacy'>;
  /** Only for transports on PCI. */
  readonly pci?: PciOptions;
  /** Slot 0..7 of the virtio-mmio window, or PCI device 1..31. Undefined: filled from the top as QEMU does. */
  readonly slot?: number;
  /** Memory of the device that its driver can map. Absent: none. */
  readonly sharedMemory?: readonly SharedMemoryOptions[];
  /** Largest size of each queue. Undefined: the device's default. */
  readonly queueSize?: number;
  /** Feature bits switched on or off against the device's default offer. */
  readonly featuresOn: bigint;
  readonly featuresOff: bigint;
  /** Virtual nanoseconds from notification to fetch, and from fetch to completion. */
  readonly fetchNanoseconds: number;
  readonly completeNanoseconds: number;
  readonly onDriverError: OnDriverError;
  /** Unusual but legal behaviour. Absent: none. */
  readonly mood?: readonly MoodSwitch[];
  /** The device lies about what it has used. */
  readonly hostile?: boolean;
}

export type DeviceConfiguration = DeviceConfigurationBase &
  (
    | { readonly type: 'block'; readonly backend: BlockBackend; readonly serial?: string; readonly readOnly: boolean }
    | { readonly type: 'console' }
    | { readonly type: 'entropy' }
    | NetworkConfiguration
  );

export interface NetworkConfiguration {
  readonly type: 'net';
  /** Six bytes. */
  readonly address: Uint8Array;
  /** Largest packet without the Ethernet header, 68 to 65535. */
  readonly mtu: number;
  /** Pairs of queues, 1 to 8. */
  readonly pairs: number;
  /** Virtual nanoseconds after DRIVER_OK at which the device asks for an announcement; undefined: never. */
  readonly announceAfterNanoseconds?: number;
  /** Frames that arrive by themselves, in order, at these virtual times after DRIVER_OK. */
  readonly arrivals?: readonly NetworkArrival[];
}

export interface NetworkArrival {
  readonly nanoseconds: number;
  readonly bytes: Uint8Array;
}

/** Where a block device's bytes come from. Sectors are 512 bytes. Calls are synchronous and happen at step boundaries. */
export interface BlockBackend {
  readonly sizeBytes: number;
  /** Shown to people: the file's name and mode. */
  readonly description: string;
  read(offset: number, length: number): Uint8Array;
  write(offset: number, bytes: Uint8Array): void;
  /** The guest flushed: make writes durable where the mode says so. Throws when the host cannot. */
  flush(): void;
}

export type Bios =
  | { readonly kind: 'none' }
  | { readonly kind: 'builtin' }
  | { readonly kind: 'file'; readonly name: string; readonly bytes: Uint8Array };

/** The interrupt controller of the board, in QEMU's words: a PLIC, an APLIC, or an APLIC that sends messages to IMSICs. */
export type Aia = 'none' | 'aplic' | 'aplic-imsic';

export interface MachineConfiguration {
  readonly memoryBytes: number;
  /** 1..8 */
  readonly harts: number;
  readonly bios: Bios;
  /** Undefined: none. */
  readonly aia?: Aia;
  /** ELF, Linux Image or raw. Undefined only with a complete bios. */
  readonly guest?: { readonly name: string; readonly bytes: Uint8Array };
  readonly initrd?: { readonly name: string; readonly bytes: Uint8Array };
  readonly append?: string;
  readonly deviceTree?: { readonly name: string; readonly bytes: Uint8Array };
  readonly devices: readonly DeviceConfiguration[];
  readonly seed: number;
  /** Nanoseconds since 1970 that the RTC shows at reset. */
  readonly wallClockAtResetNanoseconds: bigint;
}
