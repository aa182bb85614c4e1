/* Asks of malloc what its arguments say, one letter a part: a program to be recorded. */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char **words;
static void *volatile last;

static pthread_barrier_t together;

static void *rounds(void *seed) {
    pthread_barrier_wait(&together);
    void *blocks[16] = {0};
    unsigned state = (unsigned)(size_t)seed;
    for (int round = 0; round < 2000; round++) {
        state = state * 1103515245 + 12345;
        void **block = &blocks[state >> 16 & 15];
        size_t size = 1 + (state >> 20) % 700;
        if (*block && (state >> 8 & 1)) {
            free(*block);
            *block = NULL;
        } else {
            *block = realloc(*block, size);
            memset(*block, 7, size);
        }
    }
    for (int index = 0; index < 16; index++) free(blocks[index]);
    return NULL;
}

static void threads(void) {
    pthread_t all[4];
    pthread_barrier_init(&together, NULL, 4);
    for (size_t index = 0; index < 4; index++) pthread_create(&all[index], NULL, rounds, (void *)(index + 1));
    for (int index = 0; index < 4; index++) pthread_join(all[index], NULL);
}

static void processes(void) {
    pid_t child = fork();
    if (child == 0) {
        free(malloc(12345)); /* nobody records this: the child is silent until it is another program */
        execl(words[0], words[0], "g", NULL);
        _exit(9);
    }
    waitpid(child, NULL, 0);
}

static void growth(void) {
    char *text = NULL;
    for (size_t size = 1; size < 300000; size = size * 3 / 2 + 1) {
        text = realloc(text, size);
        memset(text, 1, size);
    }
    text = reallocarray(text, 10, 10);
    last = realloc(text, 0);
}

static void others(void) {
    void *block = NULL;
    last = calloc(7, 9);
    free(last);
    volatile size_t huge = (size_t)-1 / 2;
    last = calloc(huge, 16);
    last = malloc(huge + 5);
    block = aligned_alloc(256, 256);
    memset(block, 3, malloc_usable_size(block));
    free(block);
    if (posix_memalign(&block, 64, 100) == 0) free(block);
    posix_memalign(&block, 24, 100);
    free(memalign(4096, 8));
    free(NULL);
    block = malloc(9 << 20);
    block = realloc(block, 10 << 20);
    free(block);
}

static void wrong(void) { /* what the broken allocator answers wrongly */
    void *block = malloc(100);
    memset(block, 5, 100);
    switch (words[2][0]) {
    case 'a': last = aligned_alloc(256, 256); break;
    case 'd': last = malloc(777); break;
    case 'z': last = calloc(7, 111); break;
    case 'k': last = realloc(block, 888); break;
    case 'u': last = malloc(555); malloc_usable_size(last); break;
    case 'r': { volatile size_t half = (size_t)1 << 33; last = calloc(half, half); break; }
    case 'i': posix_memalign(&block, 24, 99); break;
    }
}

int main(int count, char **arguments) {
    words = arguments;
    for (char *part = arguments[1]; count > 1 && *part; part++) {
        switch (*part) {
        case 't': threads(); break;
        case 'p': processes(); break;
        case 'g': growth(); break;
        case 'o': others(); break;
        case 'w': wrong(); break;
        case 'x': return 3;
        case 'k': kill(getpid(), SIGKILL);
        }
    }
    return 0;
}
