// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Where ready runnables go when a queue has no memory to grow: what is ready is never lost, and
// queueing it never throws. A list through the runnables themselves, first in, first out.
//
// Protocol: spill list
//            checked by: tests/model/injection_model.cpp, tests/stress/spill_stress_test.cpp
// Roles      any thread pushes · workers pop
// Word       count: runnables inside, so that nobody takes the lock for an empty list
// Fields     first_, last_, the links → mutex_
// Edges      P1 store-load pair, made by idle_set's fences like the injection queue's: {push,
//               fence, read who is idle} / {announce, fence, read count}
//            P2 push's unlock release → pop's lock acquire: the runnable
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>

#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"
#include "weft/park/futex_mutex.hpp"

namespace weft::detail {

/// `Item` has a member `Item* next_spilled`, which is the list's while the item is inside.
template <class Env, class Item>
class spill_list {
public:
    /// The caller notifies, as for every queue.
    void push(Item& ready) noexcept {
        if (mutated<Env>(mutation::spill_pushes_unlocked)) return link(ready);
        const std::scoped_lock lock(mutex_);  // P2
        link(ready);
    }

    [[nodiscard]] Item* pop() noexcept {
        if (count_.load(std::memory_order_relaxed) == 0) return nullptr;  // P1
        if (mutated<Env>(mutation::spill_pops_unlocked)) return unlink();
        const std::scoped_lock lock(mutex_);  // P2
        return unlink();
    }

private:
    void link(Item& ready) noexcept {
        ready.next_spilled = nullptr;
        if (first_.load() == nullptr) {
            first_.store(&ready);
        } else {
            last_.load()->next_spilled = &ready;
        }
        last_.store(&ready);
        count_.fetch_add(1, std::memory_order_relaxed);  // P1
    }
    [[nodiscard]] Item* unlink() noexcept {
        Item* const found = first_.load();
        if (found == nullptr) return nullptr;
        first_.store(found->next_spilled);
        count_.fetch_sub(1, std::memory_order_relaxed);  // P1
        return found;
    }

    futex_mutex<Env> mutex_;
    typename Env::template cell<Item*> first_{nullptr};
    typename Env::template cell<Item*> last_{nullptr};
    typename Env::template atomic<std::size_t> count_{0};
};

}  // namespace weft::detail
