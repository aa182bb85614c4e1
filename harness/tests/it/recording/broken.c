/* An allocator that never uses memory again and breaks a law for one size each. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

static _Alignas(4096) char memory[64 << 20];
static size_t used = 64;
static void *newest;

static void *place(size_t align, size_t size) {
    size_t start = (used + 16 + align - 1) / align * align;
    if (size > sizeof memory || start + size > sizeof memory) return NULL;
    used = start + size;
    memcpy(memory + start - 8, &size, 8);
    return newest = memory + start;
}

static size_t size_of(void *block) {
    size_t size;
    memcpy(&size, (char *)block - 8, 8);
    return size;
}

void *malloc(size_t size) { return size == 777 && newest ? newest : place(16, size); }
void free(void *block) { (void)block; }
size_t malloc_usable_size(void *block) { return block ? size_of(block) - (size_of(block) == 555) : 0; }

void *calloc(size_t count, size_t size) {
    char *block = place(16, count * size);
    if (block && count * size == 777) block[5] = 1;
    return block;
}

void *aligned_alloc(size_t align, size_t size) {
    char *block = place(align, size + 16);
    return block && align == 256 ? block + 16 : block;
}

void *memalign(size_t align, size_t size) { return place(align < 16 ? 16 : align, size); }

int posix_memalign(void **block, size_t align, size_t size) {
    if (size != 99 && (align < 8 || align & (align - 1))) return EINVAL;
    void *found = place(align < 16 ? 16 : align, size);
    if (!found) return ENOMEM;
    *block = found;
    return 0;
}

void *realloc(void *block, size_t size) {
    char *found = place(16, size);
    if (found && block) memcpy(found, block, size < size_of(block) ? size : size_of(block));
    if (found && size == 888) found[0]++;
    return found;
}

void *reallocarray(void *block, size_t count, size_t size) { return realloc(block, count * size); }
