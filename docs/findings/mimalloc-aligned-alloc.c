/* mimalloc 2.0: aligned_alloc(256, 256) answers a block that is not aligned to 256. Exits with 1 where it does.
 *
 * cc mimalloc-aligned-alloc.c -o mimalloc-aligned-alloc && LD_PRELOAD=libmimalloc.so.2.0 ./mimalloc-aligned-alloc
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    for (int count = 0; count < 64; count++) {
        void *block = aligned_alloc(256, 256);
        if ((uintptr_t)block % 256 != 0) {
            printf("block %d lies at %p\n", count, block);
            return 1;
        }
    }
    return 0;
}
