// A kernel in S-mode with two harts that asks its SBI for everything a kernel needs and prints the answers: equal under any firmware.
#include <stdint.h>

struct answer {
  long error;
  long value;
};

enum { TIME = 0x54494d45, IPI = 0x735049, RFENCE = 0x52464e43, HSM = 0x48534d, SRST = 0x53525354, BASE = 0x10 };

static struct answer call(long extension, long function, long x, long y, long z, long u, long v) {
  register long a0 asm("a0") = x;
  register long a1 asm("a1") = y;
  register long a2 asm("a2") = z;
  register long a3 asm("a3") = u;
  register long a4 asm("a4") = v;
  register long a6 asm("a6") = function;
  register long a7 asm("a7") = extension;
  asm volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7) : "memory");
  return (struct answer){a0, a1};
}

static void put(char c) { call(1, 0, c, 0, 0, 0, 0); }
static void text(const char *s) {
  while (*s) put(*s++);
}
static void number(long n) {
  if (n < 0) {
    put('-');
    n = -n;
  }
  if (n > 9) number(n / 10);
  put('0' + n % 10);
}
static void say(const char *what, long n) {
  text(what);
  text(": ");
  number(n);
  put('\n');
}

#define read_csr(name) ({ unsigned long v; asm volatile("csrr %0, " #name : "=r"(v)); v; })
#define write_csr(name, v) asm volatile("csrw " #name ", %0" ::"r"(v) : "memory")
#define set_csr(name, v) asm volatile("csrs " #name ", %0" ::"r"(v) : "memory")
#define clear_csr(name, v) asm volatile("csrc " #name ", %0" ::"r"(v) : "memory")

extern char second_hart[];

static volatile long software_interrupts, timer_interrupts, last_exception = -1;

unsigned long on_trap(unsigned long cause, unsigned long pc) {
  if ((long)cause >= 0) {
    last_exception = cause;
    return pc + ((*(uint16_t *)pc & 3) == 3 ? 4 : 2);
  }
  if ((cause & 0xff) == 1) {
    software_interrupts++;
    clear_csr(sip, 2);
  } else {
    timer_interrupts++;
    call(TIME, 0, -1, 0, 0, 0, 0);
  }
  return pc;
}

static uint64_t root[512] __attribute__((aligned(4096)));
static uint64_t middle[512] __attribute__((aligned(4096)));
static uint64_t leaf[512] __attribute__((aligned(4096)));
static volatile uint64_t page_a[512] __attribute__((aligned(4096)));
static volatile uint64_t page_b[512] __attribute__((aligned(4096)));
static volatile uint64_t *const window = (uint64_t *)0x40000000;

/** Which hart the firmware boots is a lottery: everything is asked about the other one. */
static long other;
static volatile long stage, first_seen, second_seen, greeting;

/** Sleeps until an interrupt was counted. Checked with interrupts off, because one between the check and wfi would be slept through. */
static void sleep_until(volatile long *counted) {
  clear_csr(sstatus, 2);
  while (*counted == 0) {
    asm volatile("wfi");
    set_csr(sstatus, 2);
    clear_csr(sstatus, 2);
  }
  set_csr(sstatus, 2);
}

static void wait_for(long wanted) {
  while (stage != wanted)
    ;
}

void second_main(long hart, long opaque) {
  greeting = (hart == other) * 1000 + opaque;
  stage = 1;
  set_csr(sie, 2);
  set_csr(sstatus, 2);
  sleep_until(&software_interrupts);
  stage = 2;
  write_csr(satp, (8ul << 60) | ((unsigned long)root >> 12));
  asm volatile("sfence.vma" ::: "memory");
  first_seen = *window;
  stage = 3;
  wait_for(4);
  second_seen = *window;
  stage = 5;
  call(HSM, 1, 0, 0, 0, 0, 0);
}

static void map(volatile uint64_t *page) { leaf[0] = ((unsigned long)page >> 12 << 10) | 0xcf; }

static void start_second(long opaque) {
  say("start", call(HSM, 0, other, (long)second_hart, opaque, 0, 0).error);
  wait_for(1);
  say("greeting", greeting);
}

void main(long boot) {
  other = 1 - boot;
  static const long probes[] = {TIME, IPI, RFENCE, HSM, SRST, BASE, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x12345};
  for (unsigned i = 0; i < sizeof probes / sizeof *probes; i++) say("probe", call(BASE, 3, probes[i], 0, 0, 0, 0).value != 0);
  say("unknown extension", call(0x12345, 0, 0, 0, 0, 0, 0).error);
  say("unknown function", call(TIME, 9, 0, 0, 0, 0, 0).error);

  asm volatile(".4byte 0xffffffff");
  say("illegal instruction", last_exception);
  asm volatile("ebreak");
  say("breakpoint", last_exception);

  set_csr(sie, 32);
  set_csr(sstatus, 2);
  call(TIME, 0, read_csr(time) + 2000, 0, 0, 0, 0);
  sleep_until(&timer_interrupts);
  say("timer interrupts", timer_interrupts);
  say("timer pending", (read_csr(sip) >> 5) & 1);
  clear_csr(sstatus, 2);
  call(TIME, 0, read_csr(time) + 2000, 0, 0, 0, 0);
  say("suspend", call(HSM, 3, 0, 0, 0, 0, 0).error);
  set_csr(sstatus, 2);
  while (timer_interrupts < 2)
    ;

  page_a[0] = 11;
  page_b[0] = 22;
  root[2] = (0x80000000ul >> 12 << 10) | 0xcf;
  root[1] = ((unsigned long)middle >> 12 << 10) | 1;
  middle[0] = ((unsigned long)leaf >> 12 << 10) | 1;
  map(page_a);

  say("status", call(HSM, 2, other, 0, 0, 0, 0).value);
  say("no such hart", call(HSM, 2, 77, 0, 0, 0, 0).error);
  say("no such start", call(HSM, 0, 77, (long)second_hart, 0, 0, 0).error);
  start_second(7);
  say("status", call(HSM, 2, other, 0, 0, 0, 0).value);
  say("start again", call(HSM, 0, other, (long)second_hart, 0, 0, 0).error);
  say("send", call(IPI, 0, 1, other, 0, 0, 0).error);
  wait_for(3);
  say("software interrupts", software_interrupts);
  map(page_b);
  say("fence", call(RFENCE, 1, 1 << other, 0, (long)window, 4096, 0).error);
  stage = 4;
  wait_for(5);
  say("first seen", first_seen);
  say("second seen", second_seen);
  while (call(HSM, 2, other, 0, 0, 0, 0).value != 1)
    ;
  text("stopped\n");
  software_interrupts = 0;
  stage = 0;
  start_second(8);

  say("instruction fence", call(RFENCE, 0, 0, -1, 0, 0, 0).error);
  say("reset of an unknown type", call(SRST, 0, 0x7000, 0, 0, 0, 0).error);
  call(SRST, 0, 0, 0, 0, 0, 0);
  text("not reached\n");
}
