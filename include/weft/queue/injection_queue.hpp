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
// Fields     worker tokens → worker-confined; a stripe's token → its mutex; tickets_ → its own
//            protocol, ticket_count.hpp
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

#include "weft/model/environment.hpp"
#include "weft/queue/ticket_count.hpp"

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
    [[nodiscard]] bool maybe_nonempty() const noexcept { return !tickets_.is_zero(); }

private:
    struct body;
    [[nodiscard]] void* pop_slowly(std::size_t worker) noexcept;

    alignas(64) ticket_count<real_environment> tickets_;
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

    /// Worker `worker`: one item or nullptr. Exact, so a parker's re-scan may rely on nullptr (P2
    /// of ticket_count.hpp).
    [[nodiscard]] T* try_pop(std::size_t worker) noexcept {
        return static_cast<T*>(storage_.try_pop(worker));
    }

    /// Any thread. After the parker's fence, false is exact; true may be out of date.
    [[nodiscard]] bool maybe_nonempty() const noexcept { return storage_.maybe_nonempty(); }

private:
    injection_storage storage_;
};

}  // namespace weft::detail
