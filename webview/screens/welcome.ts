// What stands where there is nothing to draw yet: no session, a device the guest has not found, a queue with nothing in flight.
import { html, nothing, svg, type TemplateResult } from 'lit';
import type { DiscoveryModel, QueueModel } from '../model/inspector';
import { queueGlance } from '../parts/glance';
import { actionButton, factLine, link, rich } from '../parts/words';
import type { View } from '../view';

/** No session: what this is for, and the two ways to start. */
export function welcome(view: View): TemplateResult {
  const ended = view.model.session === 'ended';
  return html`<div class="empty">
    <svg class="picture" width="120" height="64" viewBox="0 0 120 64" aria-hidden="true">
      <circle class="ring" cx="60" cy="32" r="26" />
    </svg>
    <h2>${ended ? 'The session has ended' : 'No session'}</h2>
    <p class="dim">
      Start a guest to watch its virtio devices. The sample has a driver with seeded mistakes; it needs no toolchain.
    </p>
    <vscode-button @click=${() => view.send({ type: 'openSample' })}>Open Sample Project</vscode-button>
    <vscode-button appearance="secondary" @click=${() => view.send({ type: 'startDebugging' })}
      >Run and Debug<kbd>F5</kbd></vscode-button
    >
    <p class="small">${link(view, 'Walkthrough', { type: 'openWalkthrough' })}</p>
  </div>`;
}

/** A session whose devices are not known yet, or that has none. */
export function noDevices(view: View): TemplateResult {
  const starting = view.model.session === 'starting';
  return html`<div class="empty">
    <svg class="picture" width="120" height="64" viewBox="0 0 120 64" aria-hidden="true">
      <circle class="ring" cx="60" cy="32" r="26" />
    </svg>
    <h2>${starting ? 'The machine is starting' : 'This machine has no virtio device'}</h2>
    <p class="dim">
      ${
        starting
          ? 'Its devices appear here as soon as it is built.'
          : html`Add one to <span class="mono">devices</span> in the launch configuration, for example
              <span class="mono">{ "type": "block", "image": "disk.img" }</span>.`
      }
    </p>
  </div>`;
}

function slotPicture(model: DiscoveryModel): TemplateResult {
  const width = model.slots * 29;
  return html`<svg
    class="picture slots"
    width=${width}
    height="40"
    viewBox="0 0 ${width} 40"
    role="img"
    aria-label=${`slot ${model.slot} of ${model.slots}`}
  >
    ${Array.from({ length: model.slots }, (_, slot) => {
      const x = slot * 29 + 1;
      return svg`<rect class=${slot === model.slot ? 'mine' : ''} x=${x} y="8" width="25" height="24" rx="3" />
        <text class="mono" x=${x + 12.5} y="24" text-anchor="middle">${slot}</text>`;
    })}
  </svg>`;
}

/** The guest has not touched the device yet. */
export function discovery(view: View, model: DiscoveryModel): TemplateResult {
  return html`<div class="empty">
    ${slotPicture(model)}
    <h2>${model.title}</h2>
    <p class="dim">${rich(view, model.text)}</p>
    ${model.fact === null ? nothing : html`<div class="small">${factLine(view, model.fact)}</div>`}
    <div class="row">${model.actions.map((action) => actionButton(view, action))}</div>
  </div>`;
}

/** A screen whose subject does not exist yet: one sentence why. */
export function nothingYet(title: string, why: string): TemplateResult {
  return html`<div class="empty">
    <h2>${title}</h2>
    <p class="dim">${why}</p>
  </div>`;
}

/** A queue without a chain, when only those in flight are asked for. */
export function idleQueue(view: View, queue: QueueModel): TemplateResult {
  return html`<div class="empty">
    ${queue.states === '' ? nothing : html`<div class="glance">${queueGlance(queue.states, 272)}</div>`}
    <h2>${queue.ready ? 'Nothing in flight' : `${queue.name} is not set up`}</h2>
    <p class="dim">${queue.idle === null ? 'The next publish appears here.' : rich(view, queue.idle)}</p>
    ${
      view.model.can.previousRingEvent
        ? html`<vscode-button appearance="secondary" @click=${() => view.send({ type: 'previousRingEvent' })}
            >Previous Ring Event</vscode-button
          >`
        : nothing
    }
  </div>`;
}
