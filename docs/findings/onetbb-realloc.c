/* oneTBB: scalable_realloc answers sizes that no block can have with the block that it was given. Exits with 1 where it does.
 *
 * cc onetbb-realloc.c -o onetbb-realloc -ltbbmalloc && ./onetbb-realloc
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

void *scalable_malloc(size_t size);
void *scalable_realloc(void *block, size_t size);
size_t scalable_msize(void *block);

int main(void)
{
    void *block = scalable_malloc(1 << 20);
    if (block == NULL)
        return 2;
    void *moved = scalable_realloc(block, SIZE_MAX - 4096);
    if (moved == NULL)
        return 0;
    printf("%p became %p, of %zu bytes\n", block, moved, scalable_msize(moved));
    return 1;
}
