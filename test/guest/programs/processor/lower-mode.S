# Enters the mode that mstatus.MPP names. The function comes back by returning to lower_mode_exit, whose ecall the trap handler knows.

        .text
        .globl  enter_lower_mode
        .type   enter_lower_mode, @function
enter_lower_mode:
        addi    sp, sp, -16
        sd      ra, 0(sp)
        csrw    mepc, a0
        la      ra, lower_mode_exit
        mret
        .balign 4
        .globl  lower_mode_exit
lower_mode_exit:
        .option push
        .option norvc
        ecall
        .option pop
        ld      ra, 0(sp)
        addi    sp, sp, 16
        ret
        .size   enter_lower_mode, . - enter_lower_mode
