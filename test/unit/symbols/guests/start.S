# Entry of the test guests: a stack, then main.
    .section .text.start, "ax"
    .globl _start
    .type _start, @function
_start:
    .cfi_startproc
    .cfi_undefined ra
    la sp, stack_top
    li a0, 1
    li a1, 0
    call main
finish:
    j finish
    .cfi_endproc
    .size _start, . - _start

    .bss
    .balign 16
    .skip 8192
stack_top:
