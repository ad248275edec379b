// Queues: which queue, what its letters mean, and its rings in the layout that fits their size.
import { html, nothing, type TemplateResult } from 'lit';
import { controlValue } from '../controls';
import { groupDigits, type DeviceModel, type QueueModel } from '../model/inspector';
import { legend } from '../parts/signs';
import type { View } from '../view';
import { largeRing } from './large-ring';
import { packedRing } from './packed-ring';
import { splitRing } from './split-ring';
import { idleQueue, nothingYet } from './welcome';

/** Rings above this size get a minimap and lists instead of three tables side by side. */
const smallRing = 32;

/** Whether free descriptors are hidden: the user's choice, or on for a large table. */
export function inFlightOnly(view: View, queue: QueueModel): boolean {
  return view.page.inFlightOnly ?? queue.size > smallRing;
}

export function queuePicker(view: View, device: DeviceModel, queue: QueueModel): TemplateResult {
  if (device.queues.length < 2) return html`<b class="queue-name">${queue.name}</b>`;
  const select = (event: Event): void => {
    const index = Number.parseInt(controlValue(event), 10);
    if (Number.isInteger(index) && index !== queue.index)
      view.send({ type: 'selectQueue', device: device.name, queue: index });
  };
  return html`<vscode-dropdown class="picker" aria-label="Queue" .value=${queue.index.toString()} @change=${select}>
    ${device.queues.map((each) => html`<vscode-option value=${each.index.toString()} ?selected=${each.index === queue.index} title=${each.caption}>${each.name}</vscode-option>`)}
  </vscode-dropdown>`;
}

export function inFlightSwitch(view: View, queue: QueueModel): TemplateResult {
  const on = inFlightOnly(view, queue);
  return html`<vscode-checkbox
    class="in-flight"
    title="Hide free descriptors (I)"
    .checked=${on}
    @click=${() => view.change({ inFlightOnly: !on })}
    >${view.narrow ? 'In flight' : 'In flight only'}</vscode-checkbox
  >`;
}

function toolbar(view: View, device: DeviceModel, queue: QueueModel): TemplateResult {
  return html`<div class="toolbar">
    ${queuePicker(view, device, queue)}<span class="chip">${queue.format}</span
    ><span class="chip num">${groupDigits(queue.size)} entries</span>
    <span class="dim small ellipsis">${queue.features}</span><span class="grow"></span>
    ${view.page.width < 900 ? nothing : legend()} ${inFlightSwitch(view, queue)}
  </div>`;
}

function smallRingOf(view: View, queue: QueueModel, only: boolean): TemplateResult {
  return queue.packed === undefined ? splitRing(view, queue, only) : packedRing(view, queue, queue.packed, only);
}

export function queuesScreen(view: View, device: DeviceModel): TemplateResult {
  const { queue } = view.model;
  if (device.queues.length === 0) return nothingYet('No queues', 'This device has none.');
  if (queue === null) return nothingYet('No queue is selected', 'Choose one on the Overview.');
  const only = inFlightOnly(view, queue);
  const large = queue.size > smallRing;
  const idle = !queue.ready || (!large && only && !/[BAIU]/.test(queue.states));
  const rings = idle ? idleQueue(view, queue) : large ? largeRing(view, queue, only) : smallRingOf(view, queue, only);
  return html`${toolbar(view, device, queue)} ${rings}`;
}
