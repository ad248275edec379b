# Reset entry and trap entry of the sample, for QEMU's `virt` board in machine mode, without firmware.
# [RISC-V privileged, 3.1 "Machine-Level CSRs"]

        .file   "start.S"
        .cfi_sections .debug_frame

        .section .text.start, "ax", @progbits
        .globl _start
        .type _start, @function
_start:
        .cfi_startproc
        .cfi_undefined ra               # nobody called us: a stack walk ends here
        csrr    t0, mhartid
        bnez    t0, park                # one hart drives the device, the others sleep

        .option push
        .option norelax                 # gp cannot be used to compute gp itself
        la      gp, __global_pointer$
        .option pop
        la      sp, stack_top

        la      t0, bss_start
        la      t1, bss_end
clear_bss:
        bgeu    t0, t1, bss_is_clear
        sd      zero, 0(t0)
        addi    t0, t0, 8
        j       clear_bss
bss_is_clear:

        la      t0, trap_entry
        csrw    mtvec, t0               # direct mode: every trap enters here
        call    main
        # main ends the run itself and does not return.
park:
        wfi
        j       park
        .cfi_endproc
        .size _start, . - _start

# Saves what the C calling convention lets a function change, and the interrupted pc, then calls trap_handler(mcause, mepc, mtval).
# The .cfi lines tell a debugger where everything is, so that a stack shown inside an interrupt continues in the interrupted code.
        .equ    FRAME, 144

        .macro  save register, offset
        sd      \register, \offset(sp)
        .cfi_rel_offset \register, \offset
        .endm

        .section .text
        .balign 4
        .globl  trap_entry
        .type   trap_entry, @function
trap_entry:
        .cfi_startproc
        .cfi_signal_frame
        .cfi_return_column 64           # the interrupted pc, not ra
        addi    sp, sp, -FRAME
        .cfi_def_cfa_offset FRAME
        save    ra, 0
        save    t0, 8
        save    t1, 16
        save    t2, 24
        save    a0, 32
        save    a1, 40
        save    a2, 48
        save    a3, 56
        save    a4, 64
        save    a5, 72
        save    a6, 80
        save    a7, 88
        save    t3, 96
        save    t4, 104
        save    t5, 112
        save    t6, 120
        csrr    a0, mcause
        csrr    a1, mepc
        csrr    a2, mtval
        sd      a1, 128(sp)
        .cfi_rel_offset 64, 128
        call    trap_handler
        ld      ra, 0(sp)
        ld      t0, 8(sp)
        ld      t1, 16(sp)
        ld      t2, 24(sp)
        ld      a0, 32(sp)
        ld      a1, 40(sp)
        ld      a2, 48(sp)
        ld      a3, 56(sp)
        ld      a4, 64(sp)
        ld      a5, 72(sp)
        ld      a6, 80(sp)
        ld      a7, 88(sp)
        ld      t3, 96(sp)
        ld      t4, 104(sp)
        ld      t5, 112(sp)
        ld      t6, 120(sp)
        addi    sp, sp, FRAME
        mret
        .cfi_endproc
        .size trap_entry, . - trap_entry
