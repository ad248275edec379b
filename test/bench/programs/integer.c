/* Integer work as compilers and operating systems do it: sieve, sort, hash tables, strings, checksums, recursion. */

#include "processor.h"

enum { COUNT = 1 << 14 };
static uint32_t values[COUNT];
static uint8_t composite[1 << 17];
static uint64_t table[1 << 12];
static char text[1 << 14];

static uint64_t state = 0x9e3779b97f4a7c15;
static uint64_t random_number(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint64_t sieve(void) {
    uint64_t primes = 0;
    for (unsigned i = 0; i < sizeof composite; i++) {
        composite[i] = 0;
    }
    for (unsigned i = 2; i < sizeof composite; i++) {
        if (composite[i]) {
            continue;
        }
        primes++;
        for (unsigned j = 2 * i; j < sizeof composite; j += i) {
            composite[j] = 1;
        }
    }
    return primes;
}

static void sort(int low, int high) {
    while (low < high) {
        uint32_t pivot = values[(low + high) / 2];
        int i = low;
        int j = high;
        while (i <= j) {
            while (values[i] < pivot) {
                i++;
            }
            while (values[j] > pivot) {
                j--;
            }
            if (i <= j) {
                uint32_t swapped = values[i];
                values[i++] = values[j];
                values[j--] = swapped;
            }
        }
        sort(low, j);
        low = i;
    }
}

static uint64_t sorted(void) {
    for (int i = 0; i < COUNT; i++) {
        values[i] = (uint32_t)random_number();
    }
    sort(0, COUNT - 1);
    return values[COUNT / 3] ^ values[COUNT / 2];
}

static uint64_t hashed(void) {
    uint64_t found = 0;
    for (int i = 0; i < 20000; i++) {
        uint64_t key = random_number() % 5000 + 1;
        unsigned slot = (unsigned)(key * 0x9e3779b97f4a7c15ull >> 52);
        for (int tries = 0; tries < 8 && table[slot] != key; tries++) {
            if (table[slot] == 0) {
                table[slot] = key;
            }
            slot = (slot + 1) % (sizeof table / sizeof *table);
        }
        found += table[slot] == key;
    }
    return found;
}

static uint64_t strings(void) {
    for (unsigned i = 0; i < sizeof text - 1; i++) {
        text[i] = (char)('a' + random_number() % 26);
    }
    uint64_t vowels = 0;
    uint32_t sum = ~0u;
    for (const char *c = text; *c; c++) {
        switch (*c) {
        case 'a': case 'e': case 'i': case 'o': case 'u':
            vowels++;
            break;
        default:
            break;
        }
        sum ^= (uint8_t)*c;
        for (int bit = 0; bit < 8; bit++) {
            sum = sum >> 1 ^ (0xedb88320 & -(sum & 1));
        }
    }
    return vowels << 32 | sum;
}

static uint64_t fibonacci(unsigned n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

static uint64_t divisions(void) {
    uint64_t sum = 0;
    for (uint64_t i = 1; i < 30000; i++) {
        sum += (state ^ i) / i + (state >> 8) % (i + 7);
    }
    return sum;
}

int main(void) {
    print("begin\n");
    uint64_t result = 0;
    for (int round = 0; round < ROUNDS; round++) {
        result = result * 31 + sieve() + sorted() + hashed() + strings() + fibonacci(20) + divisions();
    }
    report("end", result);
    finish(0);
}
