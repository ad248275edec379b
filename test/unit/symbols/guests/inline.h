#pragma once
typedef unsigned int u32;
typedef unsigned long u64;

static inline u32 readl(volatile u32 *address) {
  return *address;
}

static inline void writel(volatile u32 *address, u32 value) {
  *address = value;
}

static inline __attribute__((always_inline)) u32 set_bits(volatile u32 *address, u32 bits) {
  u32 before = readl(address);
  writel(address, before | bits);
  return before;
}
