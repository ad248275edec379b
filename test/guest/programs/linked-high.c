// Runs below the addresses that it is linked for, without ever turning on paging, and powers off. All its addresses are relative to the pc.
__attribute__((naked, section(".text.start"))) void _start(void) { __asm__("la sp, stack_top\n j early"); }

static volatile unsigned calls;

__attribute__((noinline)) static void power_off(void) {
  calls = calls + 1;
  *(volatile unsigned *)0x100000 = 0x5555; // here
}

void early(void) {
  power_off();
  for (;;)
    ;
}
