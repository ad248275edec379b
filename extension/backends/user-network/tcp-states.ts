// The states of a TCP connection of which this side is the one that is connected to, as a table. [RFC 9293, 3.3.2]
// TIME-WAIT is left out: the wire between guest and machine loses nothing, so no late segment can come.

export type TcpState =
  /** The host's connection is not there yet; the guest's SYN is not answered. */
  | 'CONNECTING'
  | 'SYN-RECEIVED'
  | 'ESTABLISHED'
  | 'CLOSE-WAIT'
  | 'FIN-WAIT-1'
  | 'FIN-WAIT-2'
  | 'CLOSING'
  | 'LAST-ACK'
  | 'CLOSED';

export type TcpHappening =
  'host connected' | 'our SYN acknowledged' | 'guest FIN' | 'our FIN sent' | 'our FIN acknowledged' | 'reset';

interface StateRow {
  readonly on: Readonly<Partial<Record<TcpHappening, TcpState>>>;
  /** The guest may still send data. */
  readonly receives: boolean;
  /** Data and FIN may be sent to the guest, for the first time or again. */
  readonly sends: boolean;
}

export const tcpStates: Readonly<Record<TcpState, StateRow>> = {
  CONNECTING: { on: { 'host connected': 'SYN-RECEIVED' }, receives: false, sends: false },
  'SYN-RECEIVED': { on: { 'our SYN acknowledged': 'ESTABLISHED' }, receives: false, sends: false },
  ESTABLISHED: { on: { 'guest FIN': 'CLOSE-WAIT', 'our FIN sent': 'FIN-WAIT-1' }, receives: true, sends: true },
  'CLOSE-WAIT': { on: { 'our FIN sent': 'LAST-ACK' }, receives: false, sends: true },
  'FIN-WAIT-1': { on: { 'our FIN acknowledged': 'FIN-WAIT-2', 'guest FIN': 'CLOSING' }, receives: true, sends: true },
  'FIN-WAIT-2': { on: { 'guest FIN': 'CLOSED' }, receives: true, sends: false },
  CLOSING: { on: { 'our FIN acknowledged': 'CLOSED' }, receives: false, sends: true },
  'LAST-ACK': { on: { 'our FIN acknowledged': 'CLOSED' }, receives: false, sends: true },
  CLOSED: { on: {}, receives: false, sends: false },
};

/** A reset closes from any state; what a state does not know changes nothing. */
export function nextState(state: TcpState, happening: TcpHappening): TcpState {
  return happening === 'reset' ? 'CLOSED' : (tcpStates[state].on[happening] ?? state);
}

/** How far `a` is ahead of `b`, as sequence numbers of 32 bits that wrap: negative when behind. [RFC 9293, 3.4] */
export function ahead(a: number, b: number): number {
  return (a - b) | 0;
}
export function plus(sequence: number, bytes: number): number {
  return (sequence + bytes) >>> 0;
}
