/* Malloc families for tests of loading: one that is right, one that forgets alignments, one that dies of large blocks, one that grows tired in the
 * course of many traces, and an initialiser that asks for what the sandbox refuses. The calls of the first go to the
 * host's libc. Three more map each block: one is right, one never looks whether it got a mapping, one gives the old block up
 * before it has a new one. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

void *right_malloc(size_t size) { return malloc(size); }
void right_free(void *block) { free(block); }
void *right_calloc(size_t count, size_t size) { return calloc(count, size); }
void *right_realloc(void *block, size_t size) { return realloc(block, size); }
int right_posix_memalign(void **block, size_t align, size_t size) { return posix_memalign(block, align, size); }

/* Dies of large blocks, in a function of its own. */
__attribute__((noinline)) static void *fatal_get(size_t size) {
    if (size > 4096) *(volatile char *)16 = 1;
    return malloc(size);
}

void *fatal_malloc(size_t size) { return fatal_get(size); }
void fatal_free(void *block) { free(block); }

void *wrong_malloc(size_t size) { return malloc(size); }
void wrong_free(void *block) { free(block); }

/* A block that lies right by luck is not kept: what is found wrong once is wrong each time. */
void *wrong_aligned_alloc(size_t align, size_t size) {
    void *block = malloc(size);
    for (size_t more = 16; block != NULL && 16 < align && (uintptr_t)block % align == 0; more += 16) {
        void *other = malloc(size + more);
        free(block);
        block = other;
    }
    return block;
}

/* A heap that believes its memory to be the system's, and zeros, once it has given all back often enough: when the last
 * of several zeroed blocks was freed, TIRED_AFTER times. Each block has a header that says whether it was zeroed, and its
 * memory looks used. */
enum { HEADER_BYTES = 16, USED_BYTES = 64, CROWD = 8, TIRED_AFTER = 6 };
static size_t zeroed_blocks, most_zeroed_blocks, given_back;

static void *tired_get(size_t size, int zeroed) {
    if (size > SIZE_MAX - HEADER_BYTES) return NULL;
    char *block = malloc(size + HEADER_BYTES);
    if (block == NULL) return NULL;
    *block = (char)zeroed;
    memset(block + HEADER_BYTES, 0xdd, size < USED_BYTES ? size : USED_BYTES);
    return block + HEADER_BYTES;
}

void *tired_malloc(size_t size) { return tired_get(size, 0); }

void *tired_calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) { errno = ENOMEM; return NULL; }
    void *block = tired_get(bytes, 1);
    if (block == NULL) return NULL;
    if (given_back < TIRED_AFTER) memset(block, 0, bytes);
    if (++zeroed_blocks > most_zeroed_blocks) most_zeroed_blocks = zeroed_blocks;
    return block;
}

void *tired_realloc(void *block, size_t size) {
    if (block == NULL) return tired_malloc(size);
    if (size > SIZE_MAX - HEADER_BYTES) return NULL;
    char *moved = realloc((char *)block - HEADER_BYTES, size + HEADER_BYTES);
    return moved == NULL ? NULL : moved + HEADER_BYTES;
}

void tired_free(void *block) {
    if (block == NULL) return;
    char *header = (char *)block - HEADER_BYTES;
    if (*header && --zeroed_blocks == 0) {
        given_back += most_zeroed_blocks >= CROWD;
        most_zeroed_blocks = 0;
    }
    free(header);
}

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
