/* Hot code that spans hundreds of pages: functions of a page each, called in a changing order, as large programs do. */

#include "processor.h"

#define FUNCTION(name, a, b)                                                                                           \
    static __attribute__((noinline, aligned(4096))) uint64_t name(uint64_t x, const uint64_t *data) {                  \
        for (unsigned i = 0; i < 12; i++) {                                                                            \
            x = (x ^ x >> (7 + (a))) * 0x9e3779b97f4a7c15ull + data[(x >> (20 + (b))) % 64];                           \
            if (x & 1ull << (11 + (a))) {                                                                              \
                x += data[i] << (b);                                                                                   \
            }                                                                                                          \
        }                                                                                                              \
        return x;                                                                                                      \
    }
#define FOUR(name, a)                                                                                                  \
    FUNCTION(name##0, a, 0) FUNCTION(name##1, a, 1) FUNCTION(name##2, a, 2) FUNCTION(name##3, a, 3)
#define SIXTEEN(name, a) FOUR(name##0, a) FOUR(name##1, (a) + 1) FOUR(name##2, (a) + 2) FOUR(name##3, (a) + 3)
#define SIXTY_FOUR(name, a)                                                                                            \
    SIXTEEN(name##0, a) SIXTEEN(name##1, (a) + 1) SIXTEEN(name##2, (a) + 2) SIXTEEN(name##3, (a) + 3)
SIXTY_FOUR(f0, 0)
SIXTY_FOUR(f1, 1)
SIXTY_FOUR(f2, 2)
SIXTY_FOUR(f3, 3)

#define FOUR_NAMES(name) name##0, name##1, name##2, name##3
#define SIXTEEN_NAMES(name) FOUR_NAMES(name##0), FOUR_NAMES(name##1), FOUR_NAMES(name##2), FOUR_NAMES(name##3)
#define SIXTY_FOUR_NAMES(name)                                                                                         \
    SIXTEEN_NAMES(name##0), SIXTEEN_NAMES(name##1), SIXTEEN_NAMES(name##2), SIXTEEN_NAMES(name##3)
static uint64_t (*const functions[256])(uint64_t, const uint64_t *) = {
    SIXTY_FOUR_NAMES(f0), SIXTY_FOUR_NAMES(f1), SIXTY_FOUR_NAMES(f2), SIXTY_FOUR_NAMES(f3)};

static uint64_t data[64];

int main(void) {
    for (unsigned i = 0; i < 64; i++) {
        data[i] = i * 0x1234567;
    }
    print("begin\n");
    uint64_t x = 1;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < 256; i++) {
            x = functions[(i * 101 + round) % 256](x, data);
        }
    }
    report("end", x);
    finish(0);
}
