static volatile int hits;

/* Stands before the header so that the first row of the line table is of this file: addr2line 2.40 errs otherwise. */
int count_hit(void) {
  return ++hits;
}

#include "inline.h"

enum direction { TO_DEVICE, FROM_DEVICE = 4 };

struct descriptor {
  u64 address;
  u32 length;
  unsigned short flags;
  unsigned short next;
};

union word {
  u32 whole;
  unsigned char bytes[4];
};

struct queue {
  const char *name;
  struct descriptor *table;
  u32 size;
  unsigned ready : 1;
  unsigned kind : 3;
  int delta : 5;
  enum direction direction;
  union word last;
  struct queue *self;
  int (*handler)(struct queue *, int);
  u32 grid[2][3];
  struct {
    short inner;
    signed char small;
  };
};

static struct descriptor descriptors[4] = {{0x1000, 16, 1, 1}, {0x2000, 32, 3, 2}, {0x3000, 64, 2, 3}, {0, 0, 0, 0}};
struct queue main_queue;
volatile u32 registers[16];
double ratio = 2.5;
float half = 0.5f;
const char greeting[] = "hello";
_Bool truth = 1;
char letter = 'R';
__attribute__((noinline)) int checksum(struct queue *queue, int seed) {
  int sum = seed;
  for (u32 index = 0; index < queue->size; index++) {
    struct descriptor *descriptor = &queue->table[index];
    sum += (int)descriptor->length;
    if (descriptor->flags & 1) {
      int doubled = sum * 2;
      sum ^= doubled;
    }
  }
  count_hit();
  return sum;
}

__attribute__((noinline)) static int deep(int level, struct queue *queue) {
  volatile char scratch[8];
  for (int i = 0; i < 8; i++) scratch[i] = (char)(level + i);
  if (level == 0) return checksum(queue, scratch[3]);
  int below = deep(level - 1, queue);
  return below + scratch[level];
}

__attribute__((noinline)) u32 configure(struct queue *queue, u32 features) {
  u32 before = set_bits(&registers[2], 1);
  writel(&registers[4], features);
  if (readl(&registers[4]) != features) {
    set_bits(&registers[2], 0x80);
    return 0;
  }
  queue->ready = 1;
  queue->kind = 5;
  queue->delta = -3;
  return before | set_bits(&registers[2], 8);
}

int main(int count, char **arguments) {
  struct queue *queue = &main_queue;
  queue->name = greeting;
  queue->table = descriptors;
  queue->size = 4;
  queue->direction = FROM_DEVICE;
  queue->last.whole = 0x01020304;
  queue->self = queue;
  queue->handler = checksum;
  queue->grid[1][2] = 42;
  queue->inner = -7;
  queue->small = 'x';
  u32 state = configure(queue, (u32)count);
  int result = deep(3, queue);
  (void)arguments;
  return (int)state + result + (int)ratio + (int)half;
}
