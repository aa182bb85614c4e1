/* AddressSanitizer: posix_memalign with an alignment of 2^63 ends the process. Without it: ENOMEM, and this exits with 0.
 *
 * cc -fsanitize=address address-sanitizer-posix-memalign.c -o memalign
 * ASAN_OPTIONS=allocator_may_return_null=1 ./memalign
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    void *block = NULL;
    int answer = posix_memalign(&block, (size_t)1 << 63, 1);
    printf("answered %d, block %p\n", answer, block);
    return answer == ENOMEM ? 0 : 2;
}
