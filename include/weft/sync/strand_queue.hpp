// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Who has a strand and who comes next, in one word and a list. It knows neither tasks nor runtimes:
// strand_core.hpp does what its answers say.
//
// What waits is either a job, which a driver runs, or a wait, whose owner goes on once it is given
// the strand. One driver at a time serves the jobs; the job that finds none brings one, so whoever
// leaves the strand never has to make one.
//
// Protocol: strand                                       checked by: tests/model/strand_model.cpp
// Roles      holder (one; the driver or the owner of a wait) · posters (any thread)
//            · canceller of a wait
// Words      inbox: newest node | bit 1 a driver is there | bit 0 held; 0 is idle
//            wait: queued | granted | withdrawn · its references: queue and owner
// Fields     list (oldest first) and what the holder keeps beside it: the holder's
//            · next, brings_driver of a node: poster until the push, then the holder's
// States     idle ──acquire/poster──▶ held ──rest/holder──▶ idle
//            queued ──claim/holder──▶ granted, the owner is the holder
//            queued ──withdraw/canceller──▶ withdrawn, dropped when its turn comes
// Invariants N1 one holder: only idle is acquired, only a holder rests or grants.
//            N2 a node that is in the inbox or the list keeps the strand held: rest is an exchange
//               that fails when there is one.
//            N3 the driver bit is set by the push of a job that brings a driver, and cleared by
//               that driver, while no node is left. So every job has one, and one only.
// Edges      N4 push release → take acquire: the node
//            N5 rest release → acquire: what was done on the strand, and the holder's fields
//            N6 last drop of a wait: every use of it is before its deletion
//            A claim needs none: whoever claims or withdraws wakes the owner, and that wake-up
//            (L1 of lifecycle.hpp) hands over what N5 does elsewhere.
// Races      A job is pushed while the holder finds nothing left: its exchange to idle fails, it
//            takes the job (N2). A wait is withdrawn while the holder comes to it: one exchange on
//            the wait decides; the holder goes on to the next, or the owner has the strand and
//            must leave it.
// Progress   lock-free. Oldest first: the holder reverses what it takes.
// Shutdown   every node belongs to a task or a driver that its runtime waits for.
#pragma once

#include <cstdint>

#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"

namespace weft::detail {

template <class Env>
struct strand_node {
    explicit strand_node(bool is_a_wait) noexcept : is_wait(is_a_wait) {}
    typename Env::template cell<strand_node*> next{nullptr};
    typename Env::template cell<bool> brings_driver{false};  // of a job: the driver begins with it
    const bool is_wait;
};

/// Whether a wait gets the strand or gives up, and who frees it.
template <class Env>
class strand_claim {
public:
    /// Holder. True: the owner of the wait is the holder now. False: it gave up.
    [[nodiscard]] bool claim() noexcept { return decide(granted); }
    /// Owner or its canceller. False: it is granted, or was withdrawn before.
    [[nodiscard]] bool withdraw() noexcept { return decide(withdrawn); }
    [[nodiscard]] bool is_granted() const noexcept {
        return state_.load(std::memory_order_relaxed) == granted;  // the wake-up orders: no edge
    }
    /// True for the last of queue and owner.
    [[nodiscard]] bool drop() noexcept {
        return references_.fetch_sub(1, std::memory_order_acq_rel) == 1;  // N6
    }

private:
    static constexpr std::uint32_t queued = 0, granted = 1, withdrawn = 2;

    bool decide(std::uint32_t outcome) noexcept {
        if (outcome == granted && mutated<Env>(mutation::strand_grants_what_was_withdrawn)) {
            state_.store(granted, std::memory_order_relaxed);  // the planted fault itself
            return true;
        }
        std::uint32_t before = queued;
        return state_.compare_exchange_strong(before, outcome,
                                              std::memory_order_relaxed,   // the wake-up orders
                                              std::memory_order_relaxed);  // too late
    }

    typename Env::template atomic<std::uint32_t> state_{queued};
    typename Env::template atomic<std::uint32_t> references_{2};
};

template <class Env>
class strand_queue {
public:
    using node = strand_node<Env>;
    enum class push_result : std::uint8_t { queued, queued_with_driver, start_driver };
    enum class rest_result : std::uint8_t { idle, more, driver_waits };

    // Any thread.
    /// True: the caller is the holder.
    [[nodiscard]] bool try_acquire() noexcept {
        word before = 0;
        return inbox_.compare_exchange_strong(before, held_bit, std::memory_order_acquire,  // N5
                                              std::memory_order_relaxed);  // somebody's: no edge
    }
    /// True: the strand was idle, the caller is the holder, and the wait is not queued.
    [[nodiscard]] bool push_or_acquire(node& wait) noexcept;
    /// False: no driver is there; push with one.
    [[nodiscard]] bool try_push(node& job) noexcept;
    /// `start_driver`: the strand was idle, the driver is the holder. `queued`: another driver has
    /// come, this one is not needed.
    [[nodiscard]] push_result push_with_driver(node& job) noexcept;

    // Holder.
    /// The oldest, or nullptr.
    [[nodiscard]] node* take() noexcept;
    /// What take() gave is the oldest again.
    void put_back(node& first) noexcept {
        first.next.store(list_.load());
        list_.store(&first);
    }
    /// When take() has given nothing. `idle`: the caller is no holder any more. `driver_waits`: the
    /// strand belongs to the driver now, which is to be woken.
    [[nodiscard]] rest_result rest(bool by_driver) noexcept;
    /// The driver, which remains the holder: true if it is none any more, because no job is left.
    [[nodiscard]] bool try_retire_driver() noexcept;

private:
    using word = std::uintptr_t;
    static constexpr word held_bit = 1, driver_bit = 2, flag_mask = 3;

    static node* newest(word w) noexcept { return reinterpret_cast<node*>(w & ~flag_mask); }
    static word of(node& n) noexcept { return reinterpret_cast<word>(&n); }
    /// Publishes `n` in place of `seen`, with these flags.
    bool try_replace(word& seen, node& n, word flags) noexcept {
        n.next.store(newest(seen));
        return inbox_.compare_exchange_weak(seen, of(n) | flags,
                                            std::memory_order_acq_rel,   // N4 N5
                                            std::memory_order_relaxed);  // only retried
    }

    typename Env::template atomic<word> inbox_{0};
    typename Env::template cell<node*> list_{nullptr};
};

// ---------------------------------------------------------------------------------------------

template <class Env>
bool strand_queue<Env>::push_or_acquire(node& wait) noexcept {
    word seen = inbox_.load(std::memory_order_relaxed);  // a guess: the exchange decides
    for (;;) {
        if (seen == 0) {
            if (try_acquire()) return true;
            seen = inbox_.load(std::memory_order_relaxed);  // a guess again
        } else if (try_replace(seen, wait, seen & flag_mask)) {
            return false;
        }
    }
}

template <class Env>
bool strand_queue<Env>::try_push(node& job) noexcept {
    word seen = inbox_.load(std::memory_order_relaxed);  // a guess: the exchange decides
    while ((seen & driver_bit) != 0) {
        if (try_replace(seen, job, seen & flag_mask)) return true;
    }
    return false;
}

template <class Env>
auto strand_queue<Env>::push_with_driver(node& job) noexcept -> push_result {
    word seen = inbox_.load(std::memory_order_relaxed);  // a guess: the exchange decides
    for (;;) {
        const bool is_idle = seen == 0;
        const bool has_driver = (seen & driver_bit) != 0;
        // Who starts the driver needs no node to find it.
        job.brings_driver.store(!is_idle && !has_driver);
        word flags = held_bit | driver_bit;
        if (mutated<Env>(mutation::strand_forgets_the_driver)) flags = held_bit;
        if (!try_replace(seen, job, flags)) continue;
        if (is_idle) return push_result::start_driver;
        return has_driver ? push_result::queued : push_result::queued_with_driver;
    }
}

template <class Env>
auto strand_queue<Env>::take() noexcept -> node* {
    node* first = list_.load();
    if (first == nullptr) {
        if (newest(inbox_.load(std::memory_order_relaxed)) == nullptr) return nullptr;  // a hint
        node* each = newest(inbox_.fetch_and(flag_mask, std::memory_order_acquire));    // N4
        while (each != nullptr) {
            node* older = each->next.load();
            if (mutated<Env>(mutation::strand_takes_newest_first) && first == nullptr) {
                list_.store(older);
                return each;
            }
            each->next.store(first);
            first = each;
            each = older;
        }
    }
    list_.store(first->next.load());
    return first;
}

template <class Env>
auto strand_queue<Env>::rest(bool by_driver) noexcept -> rest_result {
    word seen = inbox_.load(std::memory_order_relaxed);  // a guess: the exchange decides
    for (;;) {
        const bool overlooks = mutated<Env>(mutation::strand_rests_over_new_jobs);
        if (newest(seen) != nullptr && !overlooks) return rest_result::more;
        if ((seen & driver_bit) != 0 && !by_driver) return rest_result::driver_waits;
        if (inbox_.compare_exchange_weak(seen, 0, std::memory_order_release,  // N5
                                         std::memory_order_relaxed)) {        // only retried
            return rest_result::idle;
        }
    }
}

template <class Env>
bool strand_queue<Env>::try_retire_driver() noexcept {
    if (list_.load() != nullptr) return false;
    if (mutated<Env>(mutation::strand_driver_leaves_its_jobs)) {
        inbox_.fetch_and(~driver_bit, std::memory_order_relaxed);  // the planted fault itself
        return true;
    }
    word expected = held_bit | driver_bit;
    return inbox_.compare_exchange_strong(expected, held_bit,
                                          std::memory_order_relaxed,   // it remains the holder
                                          std::memory_order_relaxed);  // only a refusal
}

}  // namespace weft::detail
