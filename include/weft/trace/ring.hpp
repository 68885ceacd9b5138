// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The per-thread ring of trace records and the emitter that writes it. A worker owns an emitter
// and calls the one-liners of events.hpp; the collector (runtime/trace) reads through
// `trace_ring_reader`. The writer overwrites the oldest records and never looks at the reader: it
// does not block, allocate or enter the kernel. A record costs one clock read and three stores.
//
// Protocol: trace ring                                       checked by: tests/model/ring_model.cpp
// Roles      owner (the emitter's thread) · reader (collector, or another process on the same
//            memory) · control (starts and stops tracing; serialised by the registry's mutex)
// Words      head: records written, ever · slots: two words for each record · mask: levels that
//            are on
// Fields     written_ → owner, once control has bound the ring; ring_ → immutable after its binding
//            for as long as the owner is attached; mask_, head, slots → atomic
// Invariants I1 records head-capacity+1 .. head-1 are whole; the one at head-capacity may be
//               halfway through being overwritten
//            I2 a bound ring stays mapped until its owner detaches, whatever the mask says
// Edges      P1 head release → reader's first head acquire: makes the slots below it visible
//            P2 slot release → reader's slot acquire: a reader that copied part of record h sees
//               head >= h in its second look, so it knows that record h - capacity is void
//            P3 mask release → owner's mask acquire: makes ring_ and written_ visible
// Races      The owner laps the reader while it copies. Each word is whole (8-byte atomic), but
//            word 0 may belong to record i and word 1 to record i + capacity. By P2 the second look
//            at head is then at least i + capacity, and I1 makes the reader discard i.
//            Control switches the mask off while the owner is between its test and its stores: the
//            record lands in a ring that is still mapped (I2) and that nobody reads any more.
// Progress   the owner is wait-free; the reader loses records and counts them
// Shutdown   mask to 0, last drain, the ring is freed for another owner when its emitter detaches
// Rejected   a fence between head and slots (a real instruction on ARM; a release store of
//            each slot costs nothing on x86); a reader's cursor that the writer respects (can stall
//            it)
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "weft/model/environment.hpp"
#include "weft/trace/format.hpp"

namespace weft::detail {

/// Where a ring lives. `words` holds 2 * `capacity` of them; `capacity` is a power of two.
template <class Env>
struct trace_ring {
    using word = typename Env::template atomic<std::uint64_t>;

    word* head = nullptr;
    word* words = nullptr;
    std::uint64_t capacity = 0;
};

struct trace_record {
    std::uint64_t stamp_and_event = 0;
    std::uint64_t payload = 0;
};

/// The owner's end. Not copied, not moved: the registry keeps its address while it is attached.
template <class Env>
class basic_emitter {
public:
    basic_emitter() = default;
    basic_emitter(const basic_emitter&) = delete;
    basic_emitter& operator=(const basic_emitter&) = delete;

    /// Whether any of `levels` is on: the one branch that an event costs while tracing is off.
    [[nodiscard]] bool on(std::uint32_t levels) const noexcept;

    /// The trace clock, for events that share one reading. Any thread.
    [[nodiscard]] std::uint64_t now() const noexcept;

    /// Writes one record, stamped now. Owner only, and only after `on` said yes at least once.
    void emit(trace::event id, std::uint64_t payload) noexcept { emit_at(now(), id, payload); }
    void emit_at(std::uint64_t ticks, trace::event id, std::uint64_t payload) noexcept;

    /// Gives the owner its ring. Control; only while the mask is 0 and never twice without detach.
    void bind(const trace_ring<Env>& ring) noexcept;
    /// Control: sets the levels. The owner notices at its next event.
    void set_mask(std::uint32_t levels) noexcept;
    [[nodiscard]] bool is_bound() const noexcept { return ring_.words != nullptr; }

private:
    typename Env::template atomic<std::uint32_t> mask_{0};
    std::uint64_t written_ = 0;
    trace_ring<Env> ring_;
};

/// The collector's end: copies records out and says how many were overwritten before it came.
template <class Env>
class trace_ring_reader {
public:
    trace_ring_reader() = default;
    explicit trace_ring_reader(const trace_ring<Env>& ring) noexcept : ring_(ring) {}

    struct result {
        std::size_t first = 0;  // the records out[first .. first + count) are whole
        std::size_t count = 0;
        std::uint64_t lost = 0;      // overwritten between the previous batch and this one
        std::uint64_t sequence = 0;  // the number of out[first] in its ring
    };

    /// Copies at most `size` of the records written since the last call. One reader at a time.
    [[nodiscard]] result read(trace_record* out, std::size_t size) noexcept;
    /// Forgets what is there: the next read begins with the record written next.
    void skip_to_end() noexcept;
    [[nodiscard]] std::uint64_t position() const noexcept { return tail_; }

private:
    trace_ring<Env> ring_;
    std::uint64_t tail_ = 0;
};

// ---------------------------------------------------------------------------------------------

/// The raw counter of this processor: about 9 ns on x86. aarch64's often ticks at 25 MHz only.
[[nodiscard]] inline std::uint64_t read_tick_counter() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    std::uint64_t ticks;
    asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return 0;  // never selected: `clock_monotonic` is set on every other processor
#endif
}

template <class Env>
bool basic_emitter<Env>::on([[maybe_unused]] std::uint32_t levels) const noexcept {
#ifdef WEFT_NO_TRACE
    return false;
#else
    return (mask_.load(std::memory_order_relaxed) & levels) != 0;  // advisory: P3 is in emit_at
#endif
}

template <class Env>
std::uint64_t basic_emitter<Env>::now() const noexcept {
    const std::uint32_t mask = mask_.load(std::memory_order_relaxed);  // the clock never changes
    if ((mask & trace::bits::clock_monotonic) == 0) [[likely]]
        return read_tick_counter();
    return static_cast<std::uint64_t>(Env::now().time_since_epoch().count());
}

template <class Env>
void basic_emitter<Env>::emit_at(std::uint64_t ticks, trace::event id,
                                 std::uint64_t payload) noexcept {
    static_cast<void>(mask_.load(std::memory_order_acquire));  // P3: the ring is bound
    const std::uint64_t slot = written_ & (ring_.capacity - 1);
    const std::uint64_t stamp = ticks << 8 | static_cast<std::uint64_t>(id);
    ring_.words[2 * slot].store(stamp, std::memory_order_release);        // P2: after this head
    ring_.words[2 * slot + 1].store(payload, std::memory_order_release);  // P2: after this head
    ++written_;
    ring_.head->store(written_, std::memory_order_release);  // P1: publishes the record
}

template <class Env>
void basic_emitter<Env>::bind(const trace_ring<Env>& ring) noexcept {
    ring_ = ring;
    written_ = ring.head != nullptr ? ring.head->load(std::memory_order_acquire) : 0;  // P1
}

template <class Env>
void basic_emitter<Env>::set_mask(std::uint32_t levels) noexcept {
    mask_.store(levels, std::memory_order_release);  // P3: publishes the ring
}

template <class Env>
auto trace_ring_reader<Env>::read(trace_record* out, std::size_t size) noexcept -> result {
    result batch;
    const std::uint64_t before = ring_.head->load(std::memory_order_acquire);  // P1
    if (before - tail_ > ring_.capacity) {
        // Lapped. The oldest eighth would be overwritten during the copy: do not even try.
        const std::uint64_t oldest = before - ring_.capacity + ring_.capacity / 8;
        batch.lost = oldest - tail_;
        tail_ = oldest;
    }
    const std::uint64_t available = before - tail_;
    const std::size_t wanted = available < size ? static_cast<std::size_t>(available) : size;
    for (std::size_t i = 0; i < wanted; ++i) {
        const std::uint64_t slot = (tail_ + i) & (ring_.capacity - 1);
        out[i].stamp_and_event = ring_.words[2 * slot].load(std::memory_order_acquire);  // P2
        out[i].payload = ring_.words[2 * slot + 1].load(std::memory_order_acquire);      // P2
    }
    const std::uint64_t after = ring_.head->load(std::memory_order_acquire);  // P2: second look
    const std::uint64_t oldest = after < ring_.capacity ? 0 : after - ring_.capacity + 1;  // I1
    if (tail_ < oldest) {
        const std::uint64_t overwritten = oldest - tail_;
        batch.first = overwritten < wanted ? static_cast<std::size_t>(overwritten) : wanted;
    }
    batch.lost += batch.first;
    batch.count = wanted - batch.first;
    batch.sequence = tail_ + batch.first;
    tail_ += wanted;
    return batch;
}

template <class Env>
void trace_ring_reader<Env>::skip_to_end() noexcept {
    tail_ = ring_.head->load(std::memory_order_acquire);  // P1
}

}  // namespace weft::detail

namespace weft::trace {

using emitter = weft::detail::basic_emitter<weft::detail::real_environment>;

}  // namespace weft::trace
