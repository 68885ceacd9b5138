// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// One poller with the slots of the descriptors registered in it. The scheduler owns one shard a
// worker and decides who polls; net, fs and process register descriptors here through the ports.
// A shard knows no tasks: it hands out waiters, and its caller wakes them.
//
// Registration, closing and waking are for any thread. poll() is for one thread at a time; passing
// that right from thread to thread is the caller's job and must order the calls.
//
// Protocol: life of a shard                 checked by: tests/unit/reactor/reactor_shard_test.cpp
// Roles      scheduler (owns the shard) · closers of registered slots (any thread)
// Word       references of the core: the shard's own and one a registered slot
// Invariants I1 a slot can be closed and removed after its shard is gone: the core outlives both.
//            I2 an orphaned slot is never waited on: nobody polls it.
// Edges      P1 drop release → last drop acquire: everything done to the core, before it is freed
//            P2 orphan release → is_orphaned acquire
// Shutdown   the shard's destructor marks the core orphaned and drops its reference, after the
//            last poll() returned; the last remove() frees poller and slots.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <system_error>
#include <utility>

#include "weft/reactor/io_slot.hpp"
#include "weft/reactor/poller.hpp"

namespace weft::detail {

struct reactor_counters {
    std::uint64_t polls = 0;   ///< calls of poll()
    std::uint64_t events = 0;  ///< events that the kernel reported
    std::uint64_t woken = 0;   ///< waiters handed out by poll()
    std::uint64_t stale = 0;   ///< events dropped because their slot had begun another life
};

template <class Env>
class reactor_core;

template <class Env>
class basic_reactor_shard {
public:
    using slot = io_slot<Env>;
    /// Events taken from the kernel by one poll(). More wait for the next.
    static constexpr std::size_t batch_limit = 256;

    explicit basic_reactor_shard(std::unique_ptr<poller> kernel)
        : core_(new reactor_core<Env>(std::move(kernel))) {}
    basic_reactor_shard(const basic_reactor_shard&) = delete;
    basic_reactor_shard& operator=(const basic_reactor_shard&) = delete;
    /// Nobody polls any more. Slots that are still registered stay valid until they are removed.
    ~basic_reactor_shard() { core_->orphan(); }

    /// Any thread. Registers `fd`, which must be in non-blocking mode and stays the caller's.
    [[nodiscard]] std::expected<slot*, std::error_code> add(int fd) noexcept;

    /// Any thread, once for each slot: step one of closing. Both directions say closed from now on;
    /// `sink(io_waiter*)` is called for each waiter and must see to it that it is woken.
    template <class Sink>
    static void close(slot& closing, Sink&& sink) noexcept;

    /// Any thread, once, after close() and before the descriptor itself is closed: step two. The
    /// slot belongs to the shard again.
    static void remove(slot& closed, int fd) noexcept;

    /// The shard that polled for this slot is gone: remove it, and register anew elsewhere.
    [[nodiscard]] static bool is_orphaned(const slot& registered) noexcept {
        return registered.owner()->is_orphaned();
    }

    /// One thread at a time. Waits at most `timeout` (poller::forever: no limit), then calls
    /// `sink(io_waiter*)` for each waiter whose event came; returns how many that were.
    template <class Sink>
    [[nodiscard]] std::expected<std::size_t, std::error_code> poll(std::chrono::nanoseconds timeout,
                                                                   Sink&& sink) noexcept;

    /// Any thread: makes the present or the next poll() return.
    void wake() noexcept { core_->kernel->wake(); }

    /// Any thread; exact only while nobody polls.
    [[nodiscard]] reactor_counters counters() const noexcept;
    /// Descriptors that are registered now.
    [[nodiscard]] std::uint32_t registered() const noexcept { return core_->slots.in_use(); }

private:
    using counter = typename Env::template atomic<std::uint64_t>;

    static void count(counter& which, std::uint64_t by) noexcept {
        // One writer at a time (poll), so a plain read and write are enough; no edge.
        which.store(which.load(std::memory_order_relaxed) + by,  // statistics: no edge
                    std::memory_order_relaxed);                  // statistics: no edge
    }

    reactor_core<Env>* core_;
    std::array<poll_event, batch_limit> batch_{};
    counter polls_{0};
    counter events_{0};
    counter woken_{0};
    counter stale_{0};
};

/// The shard of production; a class of its own so that the ports can name it without this header.
class reactor_shard final : public basic_reactor_shard<real_environment> {
    using basic_reactor_shard::basic_reactor_shard;
};
using reactor_slot = io_slot<real_environment>;

// ---------------------------------------------------------------------------------------------

/// The part of a shard that lives until its last slot is removed.
template <class Env>
class reactor_core {
public:
    explicit reactor_core(std::unique_ptr<poller> source) noexcept : kernel(std::move(source)) {}

    void retain() noexcept {
        references_.fetch_add(1, std::memory_order_relaxed);  // P1: the caller holds one
    }
    void drop() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;  // P1
    }
    void orphan() noexcept {
        orphaned_.store(true, std::memory_order_release);  // P2
        drop();
    }
    [[nodiscard]] bool is_orphaned() const noexcept {
        return orphaned_.load(std::memory_order_acquire);  // P2
    }

    const std::unique_ptr<poller> kernel;
    slot_slab<Env> slots;

private:
    typename Env::template atomic<std::uint32_t> references_{1};
    typename Env::template atomic<bool> orphaned_{false};
};

template <class Env>
std::expected<io_slot<Env>*, std::error_code> basic_reactor_shard<Env>::add(int fd) noexcept {
    slot* entry = nullptr;
    try {
        entry = core_->slots.acquire(*core_);
    } catch (const std::bad_alloc&) {
        return std::unexpected(std::make_error_code(std::errc::not_enough_memory));
    }
    if (std::error_code error = core_->kernel->add(fd, entry->token().packed())) {
        static_cast<void>(entry->close());
        core_->slots.release(entry);
        return std::unexpected(error);
    }
    core_->retain();
    return entry;
}

template <class Env>
template <class Sink>
void basic_reactor_shard<Env>::close(slot& closing, Sink&& sink) noexcept {
    const closed_waiters waiters = closing.close();
    if (waiters.reader != nullptr) sink(waiters.reader);
    if (waiters.writer != nullptr) sink(waiters.writer);
}

template <class Env>
void basic_reactor_shard<Env>::remove(slot& closed, int fd) noexcept {
    reactor_core<Env>& core = *closed.owner();
    // Why not rely on close(2): a duplicate of the descriptor in a forked child would keep the
    // registration alive. A failure leaves nothing to undo, its events carry a dead generation.
    static_cast<void>(core.kernel->remove(fd));
    core.slots.release(&closed);
    core.drop();
}

template <class Env>
template <class Sink>
std::expected<std::size_t, std::error_code> basic_reactor_shard<Env>::poll(
    std::chrono::nanoseconds timeout, Sink&& sink) noexcept {
    const auto taken = core_->kernel->wait(batch_, timeout);
    count(polls_, 1);
    if (!taken) return std::unexpected(taken.error());
    std::size_t woken = 0;
    std::uint64_t stale = 0;
    auto mark = [&](readiness_word<Env>& word, bool hang_up) {
        if (io_waiter* waiter = word.mark_ready(hang_up)) {
            ++woken;
            sink(waiter);
        }
    };
    for (std::size_t i = 0; i < *taken; ++i) {
        const poll_event& event = batch_[i];
        const io_token token = io_token::unpack(event.token);
        slot* entry = core_->slots.find(token.index);
        if (entry == nullptr || !entry->matches(token)) {
            ++stale;
            continue;
        }
        if (event.readable) mark(entry->word(io_direction::read), event.hang_up);
        if (event.writable) mark(entry->word(io_direction::write), event.hang_up);
    }
    count(events_, *taken);
    count(woken_, woken);
    count(stale_, stale);
    return woken;
}

template <class Env>
reactor_counters basic_reactor_shard<Env>::counters() const noexcept {
    return {.polls = polls_.load(std::memory_order_relaxed),    // statistics: no edge
            .events = events_.load(std::memory_order_relaxed),  // statistics: no edge
            .woken = woken_.load(std::memory_order_relaxed),    // statistics: no edge
            .stale = stale_.load(std::memory_order_relaxed)};   // statistics: no edge
}

}  // namespace weft::detail
