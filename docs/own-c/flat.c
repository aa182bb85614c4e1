/* A guest memory in C for memtwin: flat memory, without devices, reservations and dumps.
 *
 * cc -shared -fPIC -g -I harness/include docs/own-c/flat.c -o libflat.so
 * memtwin fuzz guest_memory --library ./libflat.so
 *
 * With -DOFF_BY_ONE its bound check refuses the last byte of memory, so that there is something to catch.
 */
#include "memtwin.h"
#include <stdlib.h>
#include <string.h>

/* What is missing here, and how large a memory may be. */
const char memtwin_guest_memory_contract[] =
    "flat_ram,no_devices,no_strict_alignment,no_reservations,no_dump,largest_memory_bytes=1048576";

struct flat {
    uint64_t bytes;
    uint8_t *data;
};

static void *create(const struct memtwin_setup *setup)
{
    struct flat *flat = malloc(sizeof *flat);
    if (flat == NULL)
        return NULL;
    flat->bytes = setup->memory_bytes;
    flat->data = calloc(1, flat->bytes == 0 ? 1 : flat->bytes);
    if (flat->data != NULL)
        return flat;
    free(flat);
    return NULL;
}

static void destroy(void *memory)
{
    struct flat *flat = memory;
    free(flat->data);
    free(flat);
}

static bool reset(void *memory)
{
    struct flat *flat = memory;
    memset(flat->data, 0, flat->bytes);
    return true;
}

static bool is_within(const struct flat *flat, uint64_t address, uint64_t bytes)
{
#ifdef OFF_BY_ONE
    return bytes < flat->bytes && address < flat->bytes - bytes;
#else
    return bytes <= flat->bytes && address <= flat->bytes - bytes;
#endif
}

static bool is_scalar(uint8_t bytes)
{
    return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
}

static int32_t read_bulk(void *memory, uint8_t owner, uint64_t address, uint8_t *buffer, size_t bytes)
{
    const struct flat *flat = memory;
    (void)owner;
    if (!is_within(flat, address, bytes))
        return MEMTWIN_INVALID_ADDRESS;
    memcpy(buffer, flat->data + address, bytes);
    return MEMTWIN_DONE;
}

static int32_t write_bulk(void *memory, uint8_t owner, uint64_t address, const uint8_t *data, size_t bytes)
{
    struct flat *flat = memory;
    (void)owner;
    if (!is_within(flat, address, bytes))
        return MEMTWIN_INVALID_ADDRESS;
    memcpy(flat->data + address, data, bytes);
    return MEMTWIN_DONE;
}

/* Scalars are little-endian, as this machine is. */
static int32_t read_scalar(void *memory, uint8_t owner, uint64_t address, uint8_t bytes, uint64_t *value)
{
    uint8_t buffer[8] = {0};
    int32_t answer = is_scalar(bytes) ? read_bulk(memory, owner, address, buffer, bytes) : MEMTWIN_ALIGNMENT;
    memcpy(value, buffer, sizeof buffer);
    return answer;
}

static int32_t write_scalar(void *memory, uint8_t owner, uint64_t address, uint8_t bytes, uint64_t value)
{
    if (!is_scalar(bytes))
        return MEMTWIN_ALIGNMENT;
    return write_bulk(memory, owner, address, (const uint8_t *)&value, bytes);
}

static int32_t fetch_instruction(void *memory, uint8_t owner, uint64_t address, uint32_t *value)
{
    return read_bulk(memory, owner, address, (uint8_t *)value, sizeof *value);
}

static uint64_t memory_bytes(void *memory, uint8_t owner)
{
    const struct flat *flat = memory;
    (void)owner;
    return flat->bytes;
}

const struct memtwin_guest_memory memtwin_guest_memory = {
    .version = MEMTWIN_GUEST_MEMORY_VERSION,
    .create = create,
    .destroy = destroy,
    .reset = reset,
    .read = read_scalar,
    .write = write_scalar,
    .fetch_instruction = fetch_instruction,
    .read_bulk = read_bulk,
    .write_bulk = write_bulk,
    .memory_bytes = memory_bytes,
};
