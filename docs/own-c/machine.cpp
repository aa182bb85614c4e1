// A guest memory in C++ for memtwin: RAM and devices behind one bus, with dump and restore, without reservations.
//
// c++ -std=c++17 -shared -fPIC -g -I harness/include docs/own-c/machine.cpp -o libmachine.so
// memtwin fuzz guest_memory --library ./libmachine.so
//
// With -DDEVICES_FORGOTTEN bulk reads go to the RAM below a device, so that there is something to catch.
#include "memtwin.h"
#include <algorithm>
#include <cstring>
#include <new>
#include <vector>

namespace {

class Machine {
  public:
    explicit Machine(const memtwin_setup &setup) : setup_(setup), ram_(setup.memory_bytes) {}

    void reset() { std::fill(ram_.begin(), ram_.end(), uint8_t{0}); }

    uint64_t bytes() const { return ram_.size(); }

    int32_t read(uint64_t address, uint8_t bytes, uint64_t *value)
    {
        Route route = route_scalar(address, bytes);
        if (route.answer != MEMTWIN_DONE)
            return route.answer;
        if (route.device != nullptr)
            return setup_.device_read(setup_.device_context, index(route), address - route.device->base, bytes, value);
        *value = 0;
        std::memcpy(value, ram_.data() + address, bytes);
        return MEMTWIN_DONE;
    }

    int32_t write(uint64_t address, uint8_t bytes, uint64_t value)
    {
        Route route = route_scalar(address, bytes);
        if (route.answer != MEMTWIN_DONE)
            return route.answer;
        if (route.device != nullptr)
            return setup_.device_write(setup_.device_context, index(route), address - route.device->base, bytes, value);
        std::memcpy(ram_.data() + address, &value, bytes);
        return MEMTWIN_DONE;
    }

    // A device is read byte by byte, and the buffer is filled only if every byte could be read.
    int32_t read_bulk(uint64_t address, uint8_t *buffer, size_t bytes)
    {
        Route route = route_range(address, bytes);
#ifdef DEVICES_FORGOTTEN
        route.device = nullptr;
        route.answer = is_ram(address, bytes) ? MEMTWIN_DONE : MEMTWIN_INVALID_ADDRESS;
#endif
        if (route.answer != MEMTWIN_DONE)
            return route.answer;
        if (route.device == nullptr) {
            std::copy_n(ram_.data() + address, bytes, buffer);
            return MEMTWIN_DONE;
        }
        std::vector<uint8_t> read(bytes);
        for (size_t at = 0; at < bytes; at++) {
            uint64_t value = 0;
            uint64_t offset = address - route.device->base + at;
            int32_t answer = setup_.device_read(setup_.device_context, index(route), offset, 1, &value);
            if (answer != MEMTWIN_DONE)
                return answer;
            read[at] = static_cast<uint8_t>(value);
        }
        std::copy(read.begin(), read.end(), buffer);
        return MEMTWIN_DONE;
    }

    int32_t write_bulk(uint64_t address, const uint8_t *data, size_t bytes)
    {
        Route route = route_range(address, bytes);
        if (route.answer != MEMTWIN_DONE)
            return route.answer;
        if (route.device == nullptr) {
            std::copy_n(data, bytes, ram_.data() + address);
            return MEMTWIN_DONE;
        }
        for (size_t at = 0; at < bytes; at++) {
            uint64_t offset = address - route.device->base + at;
            int32_t answer = setup_.device_write(setup_.device_context, index(route), offset, 1, data[at]);
            if (answer != MEMTWIN_DONE)
                return answer;
        }
        return MEMTWIN_DONE;
    }

    int32_t dump(uint8_t *buffer, size_t capacity, size_t *dumped) const
    {
        if (capacity < ram_.size())
            return MEMTWIN_OTHER_ERROR;
        std::copy(ram_.begin(), ram_.end(), buffer);
        *dumped = ram_.size();
        return MEMTWIN_DONE;
    }

    int32_t restore(const uint8_t *data, size_t bytes)
    {
        if (bytes != ram_.size())
            return MEMTWIN_OTHER_ERROR;
        std::copy_n(data, bytes, ram_.begin());
        return MEMTWIN_DONE;
    }

  private:
    // Who answers an access, or why nobody does.
    struct Route {
        int32_t answer;
        const memtwin_device *device;
    };

    size_t index(const Route &route) const { return static_cast<size_t>(route.device - setup_.devices); }

    bool is_ram(uint64_t address, uint64_t bytes) const
    {
        return bytes <= ram_.size() && address <= ram_.size() - bytes;
    }

    Route route_range(uint64_t address, uint64_t bytes) const
    {
        if (UINT64_MAX - address < bytes)
            return {MEMTWIN_INVALID_ADDRESS, nullptr};
        uint64_t end = address + bytes;
        for (size_t number = 0; bytes != 0 && number < setup_.device_count; number++) {
            const memtwin_device &device = setup_.devices[number];
            if (end <= device.base || device.base + device.bytes <= address)
                continue;
            bool is_inside = device.base <= address && end <= device.base + device.bytes;
            // An access that is only partly a device's is nobody's.
            return {is_inside ? MEMTWIN_DONE : MEMTWIN_OTHER_ERROR, &device};
        }
        return {is_ram(address, bytes) ? MEMTWIN_DONE : MEMTWIN_INVALID_ADDRESS, nullptr};
    }

    Route route_scalar(uint64_t address, uint8_t bytes) const
    {
        bool is_scalar = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
        if (!is_scalar)
            return {MEMTWIN_ALIGNMENT, nullptr};
        if (UINT64_MAX - address < bytes)
            return {MEMTWIN_INVALID_ADDRESS, nullptr};
        if (setup_.strict_alignment && address % bytes != 0)
            return {MEMTWIN_ALIGNMENT, nullptr};
        return route_range(address, bytes);
    }

    memtwin_setup setup_;
    std::vector<uint8_t> ram_;
};

Machine &of(void *memory) { return *static_cast<Machine *>(memory); }

} // namespace

extern "C" {

extern const char memtwin_guest_memory_contract[] = "flat_ram,no_reservations,largest_memory_bytes=1048576";

// No exception may leave a function that C calls.
static void *create(const memtwin_setup *setup)
try {
    return new Machine(*setup);
} catch (const std::bad_alloc &) {
    return nullptr;
}

static void destroy(void *memory) { delete &of(memory); }

static bool reset(void *memory)
{
    of(memory).reset();
    return true;
}

static int32_t read_scalar(void *memory, uint8_t, uint64_t address, uint8_t bytes, uint64_t *value)
{
    return of(memory).read(address, bytes, value);
}

static int32_t write_scalar(void *memory, uint8_t, uint64_t address, uint8_t bytes, uint64_t value)
{
    return of(memory).write(address, bytes, value);
}

static int32_t fetch_instruction(void *memory, uint8_t, uint64_t address, uint32_t *value)
{
    uint64_t word = 0;
    int32_t answer = of(memory).read(address, 4, &word);
    *value = static_cast<uint32_t>(word);
    return answer;
}

static int32_t read_bulk(void *memory, uint8_t, uint64_t address, uint8_t *buffer, size_t bytes)
try {
    return of(memory).read_bulk(address, buffer, bytes);
} catch (const std::bad_alloc &) {
    return MEMTWIN_OTHER_ERROR;
}

static int32_t write_bulk(void *memory, uint8_t, uint64_t address, const uint8_t *data, size_t bytes)
{
    return of(memory).write_bulk(address, data, bytes);
}

static uint64_t memory_bytes(void *memory, uint8_t) { return of(memory).bytes(); }

static int32_t dump(void *memory, uint8_t, uint8_t *buffer, size_t capacity, size_t *dumped)
{
    return of(memory).dump(buffer, capacity, dumped);
}

static int32_t restore(void *memory, uint8_t, const uint8_t *data, size_t bytes)
{
    return of(memory).restore(data, bytes);
}

extern const struct memtwin_guest_memory memtwin_guest_memory = {
    MEMTWIN_GUEST_MEMORY_VERSION,
    create,
    destroy,
    reset,
    read_scalar,
    write_scalar,
    fetch_instruction,
    nullptr, // load_reserved, store_conditional, invalidate_reservation: the contract says so
    nullptr,
    nullptr,
    read_bulk,
    write_bulk,
    memory_bytes,
    dump,
    restore,
};
}
