// Runs the sequences of the differential test one after the other: sets the state of each, enters it, logs and steps over its traps,
// and dumps the state that it leaves. Constants come from layout.ts. All of this runs in M-mode without translation.

// x1 to x30: x31 is the base while the others are loaded and stored.
#define MOST_REGISTERS 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
#define ALL_FLOATS 0,MOST_REGISTERS,31

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

// Copies between the page tables and a packed block: `load` and `store` are the block's direction.
.macro each_table direction         // block in s3
  li s4, FIFTH_TABLE
  \direction FIFTH_ENTRIES
  li s4, FOURTH_TABLE
  \direction FOURTH_ENTRIES
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
  j start

// Both vector tables serve direct and vectored mode. layout.ts knows where the second one is.
.org 0x100
supervisor_vectors:
  .rept 16
  j supervisor_trap
  .endr
.org 0x200
machine_vectors:
  .rept 16
  j trap
  .endr

start:
  la t0, machine_vectors + 1
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
  .irp n, ALL_FLOATS
  fld f\n, (\n * 8)(t0)
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
  .irp n, MOST_REGISTERS
  ld x\n, (\n * 8)(x31)
  .endr
  ld x31, (31 * 8)(x31)
  mret

// A delegated trap: M-mode logs it, and comes back when the sequence goes on.
supervisor_trap:
  ecall
  sret

trap:
  csrrw x31, mscratch, x31
  .irp n, MOST_REGISTERS
  sd x\n, (\n * 8)(x31)
  .endr
  csrrw x1, mscratch, x31
  sd x1, (31 * 8)(x31)
  li s0, CONTROL
  ld s1, CONTROL_RECORD(s0)
  ld s2, CONTROL_RESULT(s0)
  ld s3, CONTROL_TRAPS(s0)
  li t0, TRAP_LIMIT
  bgeu s3, t0, leave
  li t0, TRAP_BYTES
  mul t0, t0, s3
  add t0, t0, s2
  addi t0, t0, RESULT_TRAPS
  .irp name, TRAP_FIELDS
  csrr t1, \name
  sd t1, 0(t0)
  addi t0, t0, 8
  .endr
  addi s3, s3, 1
  sd s3, CONTROL_TRAPS(s0)

  // Which trap of the sequence this is: its own, or the one that brought the supervisor handler here (s6).
  csrr s4, mcause
  csrr s5, mepc
  li s6, 0
  la t0, supervisor_trap
  bne s5, t0, 1f
  li t0, 9
  bne s4, t0, 1f
  li s6, 1
  addi t0, s5, 4
  csrw mepc, t0
  csrr s4, scause
  csrr s5, sepc
1:
  bltz s4, interrupt
  // Go on behind an instruction of the sequence; anything else ends it.
  mv t0, s5
  srli t1, t0, 30
  li t2, 3
  bne t1, t2, 2f
  li t2, USER_ALIAS
  sub t0, t0, t2
2:
  ld t1, RECORD_START(s1)
  bltu t0, t1, leave
  ld t1, RECORD_END(s1)
  bgeu t0, t1, leave
  lhu t1, 0(t0)
  andi t1, t1, 3
  addi t1, t1, -3
  addi s5, s5, 2
  bnez t1, 3f
  addi s5, s5, 2
3:
  bnez s6, 4f
  csrw mepc, s5
  j resume
4:
  csrw sepc, s5
  j resume
interrupt:
  csrw mie, zero
resume:
  // QEMU's translations outlive a change of MPP, on which they depend while MPRV is set.
  sfence.vma
  csrr x31, mscratch
  .irp n, MOST_REGISTERS
  ld x\n, (\n * 8)(x31)
  .endr
  ld x31, (31 * 8)(x31)
  mret

leave:
  addi t0, s0, CONTROL_SAVED
  mv t1, s2
  copy_words t0, t1, 32
  addi t0, s2, RESULT_CSRS
  .irp name, STATE_CSRS
  csrr t1, \name
  sd t1, 0(t0)
  addi t0, t0, 8
  .endr
  // A protected region that covers only a part of a word would stop M-mode too. [RISC-V priv. 3.7.1.3]
  csrw pmpcfg0, zero
  csrw pmpcfg2, zero
  csrw pmpaddr9, zero
  li t0, 0x6000
  csrw mstatus, t0
  frcsr t0
  sd t0, RESULT_FCSR(s2)
  addi t0, s2, RESULT_F
  .irp n, ALL_FLOATS
  fsd f\n, (\n * 8)(t0)
  .endr
  ld t0, CONTROL_TRAPS(s0)
  sd t0, RESULT_TRAP_COUNT(s2)
  addi s3, s2, RESULT_ENTRIES
  each_table dump_table
  addi s3, s2, RESULT_SCRATCH
  li s4, WINDOW
  copy_words s4, s3, WINDOW_WORDS
  li t0, RECORD_BYTES
  add s1, s1, t0
  sd s1, CONTROL_RECORD(s0)
  li t0, RESULT_BYTES
  add s2, s2, t0
  sd s2, CONTROL_RESULT(s0)
  j begin

finish:
  li t0, FINISHER
  li t1, FINISHER_PASS
  sw t1, 0(t0)
  j finish
