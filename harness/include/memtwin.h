/* What a shared library exports so that memtwin puts it to the test: `memtwin fuzz --library ./libmine.so`. */

#ifndef MEMTWIN_H
#define MEMTWIN_H

/* Made of harness/c/src/abi.rs by `cargo xtask generate`: change that. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 The version of `memtwin_guest_memory` that this header describes.
 */
#define MEMTWIN_GUEST_MEMORY_VERSION 1

/*
 The call did what it was asked to do.
 */
#define MEMTWIN_DONE 0

/*
 A store-conditional did not store.
 */
#define MEMTWIN_NOT_STORED 1

/*
 The size is none of 1, 2, 4 and 8, or the address is misaligned where alignment is strict.
 */
#define MEMTWIN_ALIGNMENT 2

/*
 The range is not within memory.
 */
#define MEMTWIN_INVALID_ADDRESS 3

/*
 The same, reported as a page fault.
 */
#define MEMTWIN_PAGE_FAULT 4

/*
 Anything else: a device's error, an access partly in a device, a restore of the wrong length.
 */
#define MEMTWIN_OTHER_ERROR 5

/*
 A range of RAM.
 */
struct memtwin_ram {
  /*
   The first guest physical address.
   */
  uint64_t base;
  /*
   The size in bytes.
   */
  uint64_t bytes;
};

/*
 A device region. Where it covers memory, the device answers.
 */
struct memtwin_device {
  /*
   The first guest physical address.
   */
  uint64_t base;
  /*
   The size in bytes.
   */
  uint64_t bytes;
};

/*
 What a memory is built with. It lives as long as the memory that was created with it.
 */
struct memtwin_setup {
  /*
   The memory's size in bytes: the sum of all ranges of RAM.
   */
  uint64_t memory_bytes;
  /*
   Where RAM lies: ranges sorted by base, disjoint, which may meet. With `flat_ram` always one, from 0 on.
   */
  const struct memtwin_ram *ram;
  /*
   How many there are.
   */
  size_t ram_count;
  /*
   Whether scalar accesses must be aligned to their size.
   */
  bool strict_alignment;
  /*
   The device regions: sorted by base, disjoint.
   */
  const struct memtwin_device *devices;
  /*
   How many there are.
   */
  size_t device_count;
  /*
   What the two functions below are called with.
   */
  void *device_context;
  /*
   Reads `bytes` bytes (1, 2, 4 or 8) at an offset in a device, little-endian; `MEMTWIN_DONE` or
   `MEMTWIN_OTHER_ERROR`.
   */
  int32_t (*device_read)(void *context,
                         size_t device,
                         uint64_t offset,
                         uint8_t bytes,
                         uint64_t *value);
  /*
   Writes likewise.
   */
  int32_t (*device_write)(void *context,
                          size_t device,
                          uint64_t offset,
                          uint8_t bytes,
                          uint64_t value);
};

/*
 A guest memory. A shared library exports one under the name `memtwin_guest_memory`, and the freedoms that it claims
 as a string under the name `memtwin_guest_memory_contract` (see `memtwin list`), such as
 "flat_ram,no_devices,largest_memory_bytes=1048576".

 All functions are called from one thread, one at a time. `owner` is the virtual CPU that makes the call, 0 to 3.
 Functions that answer do so with one of the constants above. A function that the contract says is missing may be
 NULL.
 */
struct memtwin_guest_memory {
  /*
   `MEMTWIN_GUEST_MEMORY_VERSION`.
   */
  uint32_t version;
  /*
   A memory of zeros; NULL where the host refuses it. Nothing is judged then.
   */
  void *(*create)(const struct memtwin_setup *setup);
  /*
   Ends a memory.
   */
  void (*destroy)(void *memory);
  /*
   Makes a memory as good as new; false where it is to be destroyed and created again. May be NULL; several times
   faster than that.
   */
  bool (*reset)(void *memory);
  /*
   Reads a scalar of 1, 2, 4 or 8 bytes, little-endian. Any other size is asked for, too.
   */
  int32_t (*read)(void *memory, uint8_t owner, uint64_t address, uint8_t bytes, uint64_t *value);
  /*
   Writes a scalar.
   */
  int32_t (*write)(void *memory, uint8_t owner, uint64_t address, uint8_t bytes, uint64_t value);
  /*
   Reads the 4 bytes of an instruction.
   */
  int32_t (*fetch_instruction)(void *memory, uint8_t owner, uint64_t address, uint32_t *value);
  /*
   Reads a scalar and leaves a reservation of this owner.
   */
  int32_t (*load_reserved)(void *memory,
                           uint8_t owner,
                           uint64_t address,
                           uint8_t bytes,
                           uint64_t *value);
  /*
   Writes a scalar if the owner's reservation stands; `MEMTWIN_NOT_STORED` otherwise.
   */
  int32_t (*store_conditional)(void *memory,
                               uint8_t owner,
                               uint64_t address,
                               uint8_t bytes,
                               uint64_t value);
  /*
   Ends every owner's reservation of the lines in the range.
   */
  int32_t (*invalidate_reservation)(void *memory, uint8_t owner, uint64_t address, uint8_t bytes);
  /*
   Fills the whole buffer from memory, or fails.
   */
  int32_t (*read_bulk)(void *memory, uint8_t owner, uint64_t address, uint8_t *buffer, size_t bytes);
  /*
   Writes all bytes, or fails and writes none.
   */
  int32_t (*write_bulk)(void *memory,
                        uint8_t owner,
                        uint64_t address,
                        const uint8_t *data,
                        size_t bytes);
  /*
   The memory's size in bytes.
   */
  uint64_t (*memory_bytes)(void *memory, uint8_t owner);
  /*
   Writes the whole memory into the buffer, and how many bytes that were into `dumped`. The buffer has room for
   more than the memory.
   */
  int32_t (*dump)(void *memory, uint8_t owner, uint8_t *buffer, size_t capacity, size_t *dumped);
  /*
   Makes these bytes the memory's; right only if they are as many as the memory has.
   */
  int32_t (*restore)(void *memory, uint8_t owner, const uint8_t *data, size_t bytes);
};

#endif  /* MEMTWIN_H */
