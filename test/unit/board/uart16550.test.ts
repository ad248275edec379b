// The serial port: data, FIFOs, interrupts, divisor latch, loopback.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Plic } from '../../../emulator/board/plic';
import { Uart16550 } from '../../../emulator/board/uart16550';
import { bench, port } from './bench';

const data = 0;
const ier = 1;
const iir = 2;
const fcr = 2;
const lcr = 3;
const mcr = 4;
const lsr = 5;
const msr = 6;

function make() {
  const b = bench();
  const plic = new Plic(b.context);
  let level = false;
  const uart = new Uart16550('uart0', b.context, {
    source: 10,
    set: (to) => {
      level = to;
      plic.line(10).set(to);
    },
  });
  return {
    b,
    uart,
    registers: port(uart),
    interrupted: () => level,
    type: (text: string) => uart.input(Buffer.from(text)),
  };
}

test('a written byte goes out at once and the transmitter stays empty', () => {
  const { b, registers } = make();
  for (const character of 'ok\n') registers.write8(data, character.charCodeAt(0));
  assert.equal(b.sent.get('uart0'), 'ok\n');
  assert.equal(registers.read8(lsr), 0x60);
});

test('the divisor latch hides data and interrupt enable', () => {
  const { b, registers } = make();
  registers.write8(lcr, 0x83);
  registers.write8(0, 0x02);
  registers.write8(1, 0x01);
  assert.deepEqual([registers.read8(0), registers.read8(1)], [2, 1]);
  registers.write8(lcr, 0x03);
  assert.equal(registers.read8(ier), 0);
  assert.equal(registers.read8(lcr), 3);
  assert.equal(b.sent.size, 0);
});

test('input waits until the receiver has room, so a long paste loses nothing', () => {
  const { registers, type } = make();
  const text = 'x'.repeat(300_000) + 'end';
  type(text);
  registers.write8(fcr, 1);
  let received = '';
  // The reset of the FIFO by its enabling loses what had already arrived, as on the chip: one byte.
  while ((registers.read8(lsr) & 1) !== 0) received += String.fromCharCode(registers.read8(data));
  assert.equal(received.length, text.length - 1);
  assert.ok(received.endsWith('xend'));
  assert.equal(registers.read8(data), 0);
});

test('received data interrupts at the trigger level, below it after four character times', () => {
  const { b, registers, interrupted, type } = make();
  registers.write8(lcr, 0x83);
  registers.write8(0, 2);
  registers.write8(lcr, 0x03);
  registers.write8(fcr, 0x41);
  registers.write8(ier, 1);
  type('abc');
  assert.equal(interrupted(), false, 'the trigger level is 4');
  assert.equal(registers.read8(iir), 0xc1);
  // 10 bits at 115200 baud, four times.
  b.pass(347_000);
  assert.equal(interrupted(), false);
  b.pass(1_000);
  assert.equal(interrupted(), true);
  assert.equal(registers.read8(iir), 0xcc);
  assert.equal(registers.read8(data), 0x61);
  assert.equal(interrupted(), false, 'a read ends the timeout');
  type('de');
  assert.equal(registers.read8(iir), 0xc4);
  assert.equal(interrupted(), true);
});

test('without FIFOs one byte interrupts', () => {
  const { registers, interrupted, type } = make();
  registers.write8(ier, 1);
  type('ab');
  assert.equal(interrupted(), true);
  assert.equal(registers.read8(iir), 0x04);
  assert.equal(registers.read8(data), 0x61);
  assert.equal(interrupted(), true, 'the next byte follows at once');
  assert.equal(registers.read8(data), 0x62);
  assert.equal(interrupted(), false);
});

test('the empty transmitter interrupts when enabled and after each byte, until IIR says so', () => {
  const { registers, interrupted } = make();
  registers.write8(ier, 2);
  assert.equal(interrupted(), true);
  assert.equal(registers.read8(iir), 2);
  assert.equal(interrupted(), false, 'reading the cause ends it');
  registers.write8(data, 65);
  assert.equal(interrupted(), true);
  registers.write8(ier, 0);
  assert.equal(interrupted(), false);
});

test('loopback returns bytes and shows MCR at MSR, and cuts the terminal off', () => {
  const { b, registers, type } = make();
  assert.equal(registers.read8(msr), 0xb0);
  registers.write8(mcr, 0x1a);
  assert.equal(registers.read8(msr) & 0xf0, 0x90, 'RTS and OUT2 come back as CTS and DCD');
  assert.equal(registers.read8(msr) & 0x0f, 0, 'the deltas were read');
  registers.write8(data, 0x5a);
  type('z');
  assert.equal(registers.read8(data), 0x5a);
  assert.equal(registers.read8(lsr) & 1, 0);
  assert.equal(b.sent.size, 0);
  registers.write8(data, 1);
  registers.write8(data, 2);
  assert.equal(registers.read8(lsr) & 2, 2, 'the second byte overran the first');
  assert.equal(registers.read8(lsr) & 2, 0);
  registers.write8(data, 0);
  registers.write8(mcr, 8);
  registers.read8(data);
  assert.equal(registers.read8(data), 0x7a);
});

test('modem status changes interrupt and count until read', () => {
  const { registers, interrupted } = make();
  registers.write8(ier, 8);
  registers.write8(mcr, 0x10);
  assert.equal(interrupted(), true);
  assert.equal(registers.read8(iir), 0);
  assert.equal(registers.read8(msr), 0x0b, 'DCD, DSR and CTS fell');
  assert.equal(interrupted(), false);
  registers.write8(mcr, 0x14);
  assert.equal(registers.read8(msr), 0x40, 'a rising RI does not count');
  registers.write8(mcr, 0x10);
  assert.equal(registers.read8(msr), 0x04, 'a falling one does');
});

test('peeks show what reads would give and change nothing', () => {
  const { uart, registers, interrupted, type } = make();
  registers.write8(ier, 3);
  type('q');
  const before = structuredClone(uart.save());
  assert.equal(uart.peek(data, 1), 0x71n);
  assert.equal(uart.peek(iir, 1), 0x04n);
  for (let offset = 0; offset < 8; offset++) for (const size of [1, 2, 4, 8] as const) uart.peek(offset, size);
  assert.deepEqual(uart.save(), before);
  assert.equal(interrupted(), true);
});

test('a saved state brings waiting input, pending interrupts and settings back', () => {
  const { uart, registers, type } = make();
  registers.write8(fcr, 0xc1);
  registers.write8(ier, 1);
  type('0123456789abcdefXYZ');
  const saved = structuredClone(uart.save());
  for (let i = 0; i < 19; i++) registers.read8(data);
  uart.restore(saved);
  let text = '';
  while ((registers.read8(lsr) & 1) !== 0) text += String.fromCharCode(registers.read8(data));
  assert.equal(text, '0123456789abcdefXYZ');
});
