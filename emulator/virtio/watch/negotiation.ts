// Watches which feature windows are read and written, and how the configuration space is read. [virtio 1.4, 2.2, 2.5]
import type { VirtioEvent } from '../../record/events';
import type { DeviceState } from './state';

/** Windows of 32 bits that hold feature bits. */
const windows = 4;

export function watchFeatures({ features }: DeviceState, event: VirtioEvent): void {
  switch (event.kind) {
    case 'device-features-read':
      if (event.window >= windows) return;
      features.windowsRead.add(event.window);
      features.windowsEverRead.add(event.window);
      return;
    case 'driver-features-write':
      if (event.window < windows) features.windowsWritten.add(event.window);
      features.accepted = event.acceptedAfter;
      return;
    default:
  }
}

export function watchConfig(state: DeviceState, event: VirtioEvent): void {
  const { config } = state;
  switch (event.kind) {
    case 'config-generation-read':
      if (config.readSince && config.generation !== undefined && config.generation.value !== event.value) {
        config.staleSince = event;
        config.halves.clear();
      }
      for (const [name, wide] of config.halves) if (wide.guarded) config.halves.delete(name);
      config.generation = { value: event.value, event };
      config.readSince = false;
      return;
    case 'config-read':
      config.readSince = true;
      config.staleSince = undefined;
      noteHalf(state, event, event.field, event.offset);
      return;
    case 'status-write':
    case 'queue-select':
    case 'driver-features-write':
    case 'notify':
      // The driver went on: what it had not confirmed by now, and what it should have read again, has been judged at this event.
      config.halves.clear();
      config.staleSince = undefined;
      return;
    default:
  }
}

function noteHalf(
  { config, description }: DeviceState,
  event: VirtioEvent,
  name: string | undefined,
  offset: number,
): void {
  const field = description.configFields.find((candidate) => candidate.name === name);
  if (field?.size !== 8) return;
  const before = config.halves.get(field.name);
  config.halves.set(field.name, {
    parts: (before?.parts ?? 0) | (offset < field.offset + 4 ? 1 : 2),
    guarded: before?.guarded ?? config.generation !== undefined,
    event: before?.event ?? event,
  });
}
