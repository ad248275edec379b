// What busybox cannot try: random bytes by system call, and a file written and read past the page cache.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { blockBytes = 4096, blocks = 64 };

static int complain(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return 1;
}

static int random_bytes(void) {
  unsigned char first[64], second[64];
  if (getrandom(first, sizeof first, 0) != (ssize_t)sizeof first) return complain("getrandom");
  if (getrandom(second, sizeof second, 0) != (ssize_t)sizeof second) return complain("getrandom");
  if (memcmp(first, second, sizeof first) != 0) return 0;
  fprintf(stderr, "getrandom gave the same bytes twice\n");
  return 1;
}

static int direct(const char *path) {
  unsigned char *out, *in;
  if (posix_memalign((void **)&out, blockBytes, blockBytes) != 0 || posix_memalign((void **)&in, blockBytes, blockBytes) != 0)
    return complain("posix_memalign");
  int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0600);
  if (file < 0) return complain(path);
  for (int block = 0; block < blocks; block++) {
    memset(out, block + 1, blockBytes);
    if (pwrite(file, out, blockBytes, (off_t)block * blockBytes) != blockBytes) return complain("pwrite");
    if (block % 16 == 15 && fsync(file) != 0) return complain("fsync");
  }
  if (fdatasync(file) != 0) return complain("fdatasync");
  for (int block = blocks - 1; block >= 0; block--) {
    memset(out, block + 1, blockBytes);
    if (pread(file, in, blockBytes, (off_t)block * blockBytes) != blockBytes) return complain("pread");
    if (memcmp(out, in, blockBytes) == 0) continue;
    fprintf(stderr, "block %d came back changed\n", block);
    return 1;
  }
  return close(file) == 0 ? 0 : complain("close");
}

int main(int count, char **words) {
  if (count == 2 && strcmp(words[1], "getrandom") == 0) return random_bytes();
  if (count == 3 && strcmp(words[1], "direct") == 0) return direct(words[2]);
  fprintf(stderr, "expected: check getrandom | check direct FILE\n");
  return 2;
}
