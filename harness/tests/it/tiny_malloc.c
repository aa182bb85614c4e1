/* Malloc families for tests of loading: one that is right, one that forgets alignments, and an initialiser that asks for what
 * the sandbox refuses. The calls of the first go to the host's libc. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/socket.h>

void *right_malloc(size_t size) { return malloc(size); }
void right_free(void *block) { free(block); }
void *right_calloc(size_t count, size_t size) { return calloc(count, size); }
void *right_realloc(void *block, size_t size) { return realloc(block, size); }
int right_posix_memalign(void **block, size_t align, size_t size) { return posix_memalign(block, align, size); }

void *wrong_malloc(size_t size) { return malloc(size); }
void wrong_free(void *block) { free(block); }
void *wrong_aligned_alloc(size_t align, size_t size) { (void)align; return malloc(size); }

__attribute__((constructor)) static void asks_for_much(void) { (void)socket(AF_INET, SOCK_STREAM, 0); }
