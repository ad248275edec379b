// The network backends of one machine: frames that its devices send go to them, frames of theirs wait here until the machine takes them
// at a step boundary, and both directions can be written to a capture file.
// Guarantees: nothing leaves the machine through a device whose backend is `none`; what waits is bounded; after `close` nothing arrives.
import { netChannel } from '../../emulator/virtio/device/net/net';
import type { CaptureWriter } from './capture';

/** The far side of one network device. */
export interface NetworkBackend {
  /** A frame that the guest sent. Answers may come from within this call or later. */
  send(frame: Uint8Array): void;
  /** Whether the host is busy with something that the guest may be waiting for: then idle time must not be skipped. */
  readonly isBusy: boolean;
  close(): void;
}

/** How a backend reaches its device. */
export interface NetworkLink {
  /** A frame for the guest. */
  deliver(frame: Uint8Array): void;
  /** Frames that the machine has not taken yet: a paused machine takes none. */
  readonly backlog: number;
}

export interface NetworkInput {
  readonly channel: string;
  readonly bytes: Uint8Array;
}

interface Attached {
  readonly name: string;
  backend: NetworkBackend | undefined;
  readonly capture: CaptureWriter | undefined;
}

/** Frames that wait for a machine that takes none; later ones are lost, as on a wire. */
const greatestBacklog = 4096;

export class Networks {
  private readonly attached: Attached[] = [];
  private waiting: NetworkInput[] = [];
  private closed = false;
  /** Called when a frame came for the machine. */
  onArrival: () => void = () => undefined;

  /** A link for a device; what is delivered on it waits for the machine. */
  link(device: string): NetworkLink {
    const backlog = (): number => this.waiting.length;
    return {
      deliver: (bytes) => {
        if (this.closed || this.waiting.length >= greatestBacklog) return;
        this.waiting.push({ channel: device, bytes });
        this.onArrival();
      },
      get backlog() {
        return backlog();
      },
    };
  }

  /** @param backend undefined: nothing leaves and nothing comes */
  attach(name: string, backend: NetworkBackend | undefined, capture: CaptureWriter | undefined): void {
    this.attached.push({ name, backend, capture });
  }

  /** Takes the machine's output when it is a frame. */
  output(channel: string, bytes: Uint8Array, virtualNanoseconds: number): boolean {
    const device = this.attached.find(({ name }) => channel.startsWith(`${name}.`));
    if (device === undefined) return false;
    const direction = channel.slice(device.name.length + 1);
    if (direction !== netChannel.sent && direction !== netChannel.received) return false;
    device.capture?.write(device.name, direction, bytes, virtualNanoseconds);
    if (direction === netChannel.sent) device.backend?.send(bytes);
    return true;
  }

  /** Frames for the machine, oldest first. They are handed out once. */
  take(): readonly NetworkInput[] {
    if (this.waiting.length === 0) return [];
    const taken = this.waiting;
    this.waiting = [];
    return taken;
  }

  get hasInput(): boolean {
    return this.waiting.length > 0;
  }

  /** Whether time must not be skipped, because the host is at work for the guest. */
  get isBusy(): boolean {
    return this.attached.some(({ backend }) => backend?.isBusy === true);
  }

  /** Cuts the guest off from its host, because it went another way than the one that the host has seen. False where nothing was connected. */
  cut(): boolean {
    const connected = this.attached.filter(({ backend }) => backend !== undefined);
    for (const each of connected) {
      each.backend?.close();
      each.backend = undefined;
    }
    this.waiting = [];
    return connected.length > 0;
  }

  close(): void {
    this.closed = true;
    this.waiting = [];
    for (const { backend, capture } of this.attached.splice(0)) {
      backend?.close();
      capture?.close();
    }
  }
}
