# Reset entry for two harts in machine mode, without firmware and without interrupts: hart 0 calls main, hart 1 calls second_main once hart 0
# has cleared the memory that both share. [RISC-V privileged, 3.1.5]

        .section .text.start, "ax", @progbits
        .globl _start
        .type _start, @function
_start:
        .option push
        .option norelax                 # gp cannot be used to compute gp itself
        la      gp, __global_pointer$
        .option pop
        la      sp, stack_top
        csrr    t0, mhartid
        bnez    t0, second

        la      t0, bss_start
        la      t1, bss_end
clear_bss:
        bgeu    t0, t1, bss_is_clear
        sd      zero, 0(t0)
        addi    t0, t0, 8
        j       clear_bss
bss_is_clear:
        la      t0, memory_is_ready
        li      t1, 1
        fence   rw, w
        sw      t1, 0(t0)
        call    main

second:
        li      t1, 1
        bne     t0, t1, park
        li      t1, 0x2000              # the lower half of the stack
        sub     sp, sp, t1
        la      t0, memory_is_ready
not_yet:
        lw      t1, 0(t0)
        beqz    t1, not_yet
        fence   r, rw
        call    second_main
park:
        wfi
        j       park
        .size _start, . - _start

        .data
        .balign 4
memory_is_ready:
        .word   0
