// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The injection queue: the way into the runtime for every thread that owns no deque, and for what a
// worker wants others to take. Unbounded, many producers, the workers consume. The storage is
// moodycamel::ConcurrentQueue, which is fast and not linearizable; a count of tickets around it
// makes emptiness exact, which is what a worker needs to know before it sleeps. It neither frees
// items nor wakes anybody: the caller of push() notifies.
//
// Protocol: injection queue                      checked by: tests/stress/injection_stress_test.cpp
// Roles      producer (any thread) · consumer w (worker w only, with its own token)
// Word       tickets_ items published and not yet claimed, never below zero
// Fields     worker tokens → worker-confined; a stripe's token → its mutex; tickets_ → atomic
// Invariants I1 tickets_ is at most the number of items inside minus the claims still to be served:
//               it is raised after the item is in, and lowered before one is taken out.
//            I2 who lowers it owns one item, any one, and looks until it has it.
// Edges      P1 enqueue, then tickets_ RMW release → tickets_ CAS acquire: the item is inside
//            P2 store-load pair, made by idle_set's fences: {push, fence, read who is idle} /
//               {announce, fence, read tickets_}. A re-scan that reads zero has the proof:
//               all that was published is claimed by a worker that is awake, or its producer will
//               see this worker idle.
// Races      Why tickets: inside ConcurrentQueue a consumer that loses a race for the last item
//            counts itself in and out again; meanwhile another consumer can be told "empty" though
//            a new item is there. If that one goes to sleep on it, the item is stranded. Here it
//            holds a ticket and looks again.
// Order      Items of one producer come out in the order in which they went in, if one consumer
//            takes them. A foreign thread always uses the same stripe. With one worker there is one
//            stripe for all, so the order is that of the pushes, whoever made them.
// Progress   A consumer with a ticket waits only for others that are inside try_dequeue().
// Shutdown   No push may overlap the destructor. Items still inside are the caller's to take.
// Fact       Explicit producer tokens only: version 1.0.3 (Debian 12) has a data race in implicit
//            producers. No bulk enqueue: it is exempt from TSan there.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "weft/model/environment.hpp"

namespace weft::detail {

/// The queue of untyped pointers behind every injection_queue<T>.
class injection_storage {
public:
    explicit injection_storage(std::size_t workers);
    injection_storage(const injection_storage&) = delete;
    injection_storage& operator=(const injection_storage&) = delete;
    ~injection_storage();

    void push(void* item);
    void push(std::size_t worker, void* item);
    [[nodiscard]] void* try_pop(std::size_t worker) noexcept {
        return maybe_nonempty() ? pop_slowly(worker) : nullptr;
    }
    [[nodiscard]] std::size_t try_pop_bulk(std::size_t worker, std::span<void*> into) noexcept;
    [[nodiscard]] bool maybe_nonempty() const noexcept {
        return tickets_.load(std::memory_order_relaxed) != 0;  // P2; P1 is in the claim
    }

private:
    struct body;
    [[nodiscard]] void* pop_slowly(std::size_t worker) noexcept;
    [[nodiscard]] std::size_t claim(std::size_t most) noexcept;
    void publish() noexcept;

    alignas(64) real_environment::atomic<std::size_t> tickets_{0};
    alignas(64) std::unique_ptr<body> body_;
};

template <class T>
class injection_queue {
public:
    /// For workers 0 to `workers` - 1. Throws std::bad_alloc.
    explicit injection_queue(std::size_t workers) : storage_(workers) {}

    /// Any thread. Throws std::bad_alloc when the queue cannot grow; nothing is pushed then.
    void push(T& item) { storage_.push(&item); }
    /// Worker `worker`, without the lock of a stripe.
    void push(std::size_t worker, T& item) { storage_.push(worker, &item); }

    /// Worker `worker`: one item or nullptr. Exact, so a parker's re-scan may rely on nullptr (P2).
    [[nodiscard]] T* try_pop(std::size_t worker) noexcept {
        return static_cast<T*>(storage_.try_pop(worker));
    }
    /// Worker `worker`: up to `most` items, but no more than batch_limit; each goes to
    /// `sink(T&)`. Returns how many.
    template <class Sink>
    std::size_t try_pop_bulk(std::size_t worker, std::size_t most, Sink&& sink) {
        void* items[batch_limit];
        const std::size_t limit = most < batch_limit ? most : batch_limit;
        const std::size_t taken = storage_.try_pop_bulk(worker, std::span(items, limit));
        for (std::size_t i = 0; i < taken; ++i) sink(*static_cast<T*>(items[i]));
        return taken;
    }
    static constexpr std::size_t batch_limit = 32;

    /// Any thread. After the parker's fence, false is exact (P2); true may be out of date.
    [[nodiscard]] bool maybe_nonempty() const noexcept { return storage_.maybe_nonempty(); }

private:
    injection_storage storage_;
};

}  // namespace weft::detail
