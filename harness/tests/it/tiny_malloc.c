/* Malloc families for tests of loading: one that is right, one that forgets alignments, and an initialiser that asks for what
 * the sandbox refuses. The calls of the first go to the host's libc. Three more map each block: one is right, one never looks
 * whether it got a mapping, one gives the old block up before it has a new one. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

/* A page before each block holds the size of its mapping. No block is larger than MOST. */
enum { PAGE = 4096, MOST = 1 << 30 };

static void *mapping_for(size_t size) {
    return mmap(NULL, size + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void *block_in(void *mapping, size_t size) {
    *(size_t *)mapping = size + PAGE;
    return (char *)mapping + PAGE;
}

static size_t size_of(void *block) { return *(size_t *)((char *)block - PAGE) - PAGE; }

static size_t smaller(size_t one, size_t other) { return one < other ? one : other; }

void *mapping_malloc(size_t size) {
    if (size > MOST) return NULL;
    void *mapping = mapping_for(size);
    return mapping == MAP_FAILED ? NULL : block_in(mapping, size);
}
void mapping_free(void *block) {
    if (block != NULL) munmap((char *)block - PAGE, size_of(block) + PAGE);
}
void *mapping_realloc(void *block, size_t size) {
    void *moved = mapping_malloc(size);
    if (moved == NULL) return NULL;
    memcpy(moved, block, smaller(size, size_of(block)));
    mapping_free(block);
    return moved;
}

void *trusting_malloc(size_t size) { return size > MOST ? NULL : block_in(mapping_for(size), size); }
void trusting_free(void *block) { mapping_free(block); }

void *losing_malloc(size_t size) { return mapping_malloc(size); }
void losing_free(void *block) { mapping_free(block); }
void *losing_realloc(void *block, size_t size) {
    static char kept[1 << 26];
    if (size > MOST) return NULL;
    size_t bytes = smaller(smaller(size, size_of(block)), sizeof kept);
    memcpy(kept, block, bytes);
    mapping_free(block);
    void *moved = mapping_malloc(size);
    if (moved != NULL) memcpy(moved, kept, bytes);
    return moved;
}
