// Runs the sequences of the differential test one after the other: sets the state of each, enters it, logs and steps over its traps,
// and dumps the state that it leaves. Constants come from layout.ts. All of this runs in M-mode without translation.

.option norvc

.macro copy_words from, to, count   // clobbers t5, t6
  li t5, \count
1:
  ld t6, 0(\from)
  sd t6, 0(\to)
  addi \from, \from, 8
  addi \to, \to, 8
  addi t5, t5, -1
  bnez t5, 1b
.endm

// Copies between the three page tables and a packed block: `load` and `store` are the block's direction.
.macro each_table direction         // block in s3
  li s4, ROOT_TABLE
  \direction ROOT_ENTRIES
  li s4, MIDDLE_TABLE
  \direction MIDDLE_ENTRIES
  li s4, LEAF_TABLE
  \direction LEAF_ENTRIES
.endm
.macro set_table count
  copy_words s3, s4, \count
.endm
.macro dump_table count
  copy_words s4, s3, \count
.endm

.section .text.start
.globl _start
_start:
  la t0, trap
  csrw mtvec, t0
  li t0, 0x2004000                  // no timer interrupt: mtimecmp
  li t1, -1
  sd t1, 0(t0)

begin:
  li s0, CONTROL
  ld s1, CONTROL_RECORD(s0)
  ld t0, CONTROL_END(s0)
  bgeu s1, t0, finish
  sd zero, CONTROL_TRAPS(s0)
  addi t0, s0, CONTROL_SAVED
  csrw mscratch, t0
  li t0, 0x6000                     // floating point on, everything else off
  csrw mstatus, t0
  csrw mie, zero

  addi s3, s1, RECORD_ENTRIES
  each_table set_table
  addi s3, s1, RECORD_SCRATCH
  li s4, WINDOW
  copy_words s3, s4, WINDOW_WORDS
  addi t0, s1, RECORD_F
  .set number, 0
  .rept 32
  fld f(number), (number * 8)(t0)
  .set number, number + 1
  .endr
  ld t0, RECORD_FCSR(s1)
  fscsr t0
  // An SC without LR fails and leaves no reservation behind.
  li t0, WINDOW
  sc.w zero, zero, (t0)
  addi t0, s1, RECORD_CSRS
  .irp name, STATE_CSRS
  ld t1, 0(t0)
  csrw \name, t1
  addi t0, t0, 8
  .endr
  sfence.vma
  mv x31, s1
  .set number, 1
  .rept 30
  ld x(number), (number * 8)(x31)
  .set number, number + 1
  .endr
  ld x31, (31 * 8)(x31)
  mret
