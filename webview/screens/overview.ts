// Overview: the handshake as a state machine with its history, and beside it queues, interrupt, identity and configuration space.
import { html, nothing, type TemplateResult } from 'lit';
import { activityCurve } from '../drawing/activity';
import {
  groupDigits,
  type ConfigModel,
  type DeviceModel,
  type HandshakeLane,
  type HandshakeModel,
  type HandshakeState,
  type InterruptModel,
  type QueueSummary,
  type RequestRow,
} from '../model/inspector';
import { namedValues, queueGlance } from '../parts/glance';
import { hazardSign, violationSign, whoSign } from '../parts/signs';
import { factLine, heading, rich } from '../parts/words';
import type { View } from '../view';
import { discovery } from './welcome';

const progressWords: Readonly<Record<HandshakeState['progress'], string>> = {
  done: 'done',
  current: 'current state',
  next: 'may come next',
  later: 'not yet',
  skipped: 'skipped',
};

function stateNode(view: View, state: HandshakeState): TemplateResult {
  return html`<li
    class="state ${state.progress} ${state.violated ? 'violated' : ''}"
    aria-current=${state.progress === 'current' ? 'step' : nothing}
  >
    <span class="node" title=${progressWords[state.progress]}
      >${state.name}<span class="mono">${state.value}</span>${state.violated ? violationSign() : nothing}</span
    >
    ${state.facts.slice(0, 1).map((fact) => factLine(view, fact))}
    ${state.when === '' ? nothing : html`<div class="num">${state.when}</div>`}
    ${state.facts.slice(1).map((fact) => factLine(view, fact))}
    ${state.facts.length === 0 ? html`<div>${progressWords[state.progress]}</div>` : nothing}
  </li>`;
}

function lane(view: View, each: HandshakeLane): TemplateResult {
  const reached = each.reached;
  return html`<div class="lane ${each.happened ? 'happened' : ''}">
    <span class="name">${whoSign(each.who)}${each.name}</span>
    ${
      reached === undefined
        ? nothing
        : html`<span class="dots" role="img" aria-label=${`${reached.count} of ${reached.of} states`}
            >${Array.from({ length: reached.of }, (_, at) => html`<i class=${at < reached.count ? '' : 'no'}></i>`)}</span
          >`
    }
    <span class="track" aria-hidden="true"></span><span class="mark">${each.mark}</span
    ><span class="words">${rich(view, each.text)}</span>
  </div>`;
}

export function statusBits(handshake: HandshakeModel): TemplateResult {
  const set = handshake.bits.filter((bit) => bit.set).map((bit) => bit.name);
  return html`<span class="mono tiny">status ${handshake.status}</span>
    <span
      class="bits"
      role="img"
      aria-label=${`status ${handshake.status}: ${set.length === 0 ? 'no bit set' : set.join(', ')}`}
      >${handshake.bits.map((bit) => html`<span class=${bit.set ? 'on' : ''}>${bit.name}</span>`)}</span
    >`;
}

function handshakeCard(view: View, handshake: HandshakeModel): TemplateResult {
  return html`<section class="card handshake" aria-label="Handshake">
    ${heading('Handshake', handshake.caption, statusBits(handshake))}
    <ol class="states">
      ${handshake.states.map((state) => stateNode(view, state))}
    </ol>
    <div class="lanes">
      ${
        handshake.next.length === 0
          ? nothing
          : html`<div class="lane next">
              <span class="name">May come next</span><span class="words">${rich(view, handshake.next)}</span>
            </div>`
      }
      ${handshake.lanes.map((each) => lane(view, each))}
    </div>
  </section>`;
}

function queueBlock(view: View, device: DeviceModel, queue: QueueSummary): TemplateResult {
  const open = (): void => {
    view.send({ type: 'selectQueue', device: device.name, queue: queue.index });
    view.change({ screen: 'queues' });
  };
  return html`<div class="queue">
    <div class="row">
      <button class="link strong" title="Show this queue" @click=${open}>${queue.name}</button>
      <span class="chip">${queue.format}</span><span class="chip num">${groupDigits(queue.size)}</span
      ><span class="grow"></span>
      ${
        queue.violations > 0
          ? html`<span class="chip bad">${violationSign('violations')}${queue.violations}</span>`
          : html`<span class="dim small">${queue.caption}</span>`
      }
    </div>
    ${queue.ready && queue.states !== '' ? queueGlance(queue.states, 300) : nothing}
    ${
      queue.ready
        ? html`<div class="row wide">
            <div class="grow">
              ${queue.activity.length === 0 ? nothing : activityCurve(queue.activity, queue.activityCaption)}
            </div>
            ${namedValues(queue.counters)}
          </div>`
        : nothing
    }
  </div>`;
}

function requestTable(rows: readonly RequestRow[], caption: string): TemplateResult {
  return html`<table class="requests">
    <thead>
      <tr>
        <th class="right">idx</th>
        <th class="fill">${caption}</th>
        <th class="right">µs</th>
        <th></th>
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        (row) =>
          html`<tr>
            <td class="mono right">${row.index}</td>
            <td class="ellipsis" title=${row.request}>${row.request}</td>
            <td class="mono right">${row.microseconds}</td>
            <td class="dim">${row.state}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

function interruptCard(interrupt: InterruptModel): TemplateResult {
  return html`<section class="card" aria-label="Interrupt">
    ${heading('Interrupt', interrupt.line, interrupt.caption)}
    <ol class="pipe">
      ${interrupt.stages.map(
        (stage) =>
          html`<li class=${stage.lit === null ? 'dim' : 'lit'}>
            <i
              class="lamp ${stage.lit ?? ''}"
              role="img"
              aria-label=${stage.lit === null ? 'off' : `on, by the ${stage.lit}`}
            ></i>
            <span>${stage.label}</span><span class="value mono">${stage.value}</span>
          </li>`,
      )}
    </ol>
    <div class="foot">${interrupt.counters.map(({ name, value }) => html`<span>${name} <b>${value}</b></span>`)}</div>
  </section>`;
}

function configCard(config: ConfigModel): TemplateResult {
  return html`<section class="card scroll" aria-label="Config space">
    ${heading('Config space', config.structure, config.caption)}
    ${
      config.rows.length === 0
        ? html`<p class="nothing">This device has no configuration fields.</p>`
        : html`<table class="config" data-rows>
            <tbody>
              ${config.rows.map(
                (row) =>
                  html`<tr class=${row.present ? '' : 'absent'} data-row tabindex="-1">
                    <td class="mono">${row.offset}</td>
                    <td>${row.name}</td>
                    <td class="mono right">${row.value}</td>
                    <td class="dim fill ellipsis" title=${row.note}>
                      ${row.violated === true ? violationSign('breaks a rule') : row.warning ? hazardSign() : nothing}
                      ${row.note}
                    </td>
                  </tr>`,
              )}
            </tbody>
          </table>`
    }
  </section>`;
}

export function overview(view: View, device: DeviceModel): TemplateResult {
  if (device.discovery !== null) return discovery(view, device.discovery);
  return html`${handshakeCard(view, device.handshake)}
    <div class="columns">
      <section class="card scroll" aria-label="Queues">
        ${heading('Queues', device.queueCaption)} ${device.queues.map((queue) => queueBlock(view, device, queue))}
        ${device.requests.length === 0 ? nothing : requestTable(device.requests, device.requestCaption)}
      </section>
      <div class="column">
        ${interruptCard(device.interrupt)}
        <section class="card grow" aria-label="Identity">
          ${heading('Identity')}
          <div class="pad">${namedValues(device.identity)}</div>
        </section>
      </div>
      ${configCard(device.config)}
    </div>`;
}
