// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What a task group decides under its lock: who may add a child, which child has a turn, who stops
// the group and asks whom, when it has ended. What follows from that is group_core's.
//
// Protocol: group state                 checked by: tests/model/group_model.cpp,
//                                       tests/stress/task_group_stress_test.cpp
// Roles      owner (the runnable that runs the body, then waits) · creators, finishers of children,
//            cancellers of the group, of its owner and of its children (any thread)
// Fields     all → mutex_
// States     body runs ──leave/owner──▶ leaving ──nothing open──▶ ended; and at any time before
//            that stopping: a child or the body failed, somebody cancelled the group, or its owner
// Invariants U1 `open_` counts the children that are not done and those who are about to add one,
//               or to ask others to stop. At zero a group that is being left has ended: nobody
//               touches the owner's runnable any more, or a child.
//            U2 admission and stopping are decided under the lock: what was added before is asked
//               to stop, nothing is admitted after. So `begun_` and `queued_` only shrink.
//            U3 a child is asked by the group once: by whoever puts it into the list of the asked.
//               A child that is not done is in one of three lists, and stays while it is.
//            U4 the body is asked once: by whoever sets `is_stopping_` while it runs.
//            U6 the owner is woken once: by whoever takes `open_` to zero while it waits.
//            U8 a child leaves the queue once: for a turn, and whoever gives it wakes the child, or
//               cancelled. A turn is passed on until nobody waits for one.
// Edges      the mutex
// Races      a child is admitted, then the group stops, then the child is added: it finds
//            `is_stopping_`, is asked by its creator, and never begins (U2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

#include "weft/combine/group_list.hpp"
#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"

namespace weft::detail {

/// `Core` has keep(child), under the lock: the child's task stays until the group has ended; and,
/// without it, ask(child), ask_body() and wake_owner().
template <class Env, class Core>
class group_state {
public:
    enum class admission : std::uint8_t { granted, stopping, ended };
    enum class entrance : std::uint8_t { begins, waits, comes_too_late };

    group_state(const group_state&) = delete;
    group_state& operator=(const group_state&) = delete;

    // Creator of a child.
    /// Keeps the group open until close_one(), or the end of the child, if it is granted.
    [[nodiscard]] admission try_admit() noexcept {
        std::lock_guard guard{mutex_};
        if (has_ended_) return admission::ended;
        if (is_stopping_) return admission::stopping;
        ++open_;
        return admission::granted;
    }
    [[nodiscard]] entrance enter_child(group_node& n) noexcept;
    /// What kept the group open does not any more.
    void close_one() noexcept {
        std::unique_lock guard{mutex_};
        if (!close_one_locked()) return;
        guard.unlock();
        core().wake_owner();
    }

    /// Canceller of a child that waits for its turn. False: it has it, and will be woken.
    [[nodiscard]] bool leave_queue(group_node& n) noexcept;
    /// Finisher of a child. fails(is_first), under the lock: whether the group fails with it; if it
    /// is the first its error is the reason. go_on(next, is_kept): `next`, if it is not null, has a
    /// turn now and is to be woken; a child that is not kept may go.
    template <class Fails, class GoOn>
    void end_child(group_node& n, Fails fails, GoOn go_on) noexcept;

    /// Any thread: asks the children, and the body if it runs; unless somebody does already, or
    /// the group has ended. note_why() under the lock.
    template <class Note>
    void stop(Note note_why) noexcept;
    /// Canceller of the owner, while that waits: then asks the children one by one.
    template <class Note>
    void note_stop(Note note_why) noexcept {
        std::lock_guard guard{mutex_};
        if (!std::exchange(is_stopping_, true)) note_why();
    }
    /// The next child that was not asked to stop; it is kept from here on.
    [[nodiscard]] group_node* take_unasked() noexcept;

    // Owner.
    /// The body has ended: it is not asked any more.
    void leave() noexcept {
        std::lock_guard guard{mutex_};
        is_leaving_ = true;
    }
    /// False: the group has ended.
    [[nodiscard]] bool begin_wait() noexcept {
        std::lock_guard guard{mutex_};
        has_ended_ = open_ == 0;
        is_waiting_ = has_waited_ = !has_ended_;
        return is_waiting_;
    }

protected:
    /// `limit`: of children that have begun and are not done; 0: none.
    explicit group_state(std::size_t limit) noexcept
        : limit_(limit == 0 ? static_cast<std::size_t>(-1) : limit) {}
    ~group_state() = default;

    void list_as_asked_locked(group_node& n) noexcept {
        n.list_->remove(n);
        asked_.push_back(n);
    }

    typename Env::mutex mutex_;
    group_list begun_;   // not asked to stop, as those
    group_list queued_;  // that wait for a turn
    group_list asked_;   // the others that are not done
    group_list ended_;   // that keep their task, in the order in which they ended
    bool is_leaving_ = false;
    bool is_stopping_ = false;
    bool has_ended_ = false;
    bool is_waiting_ = false;  // the owner, to be woken
    bool has_waited_ = false;

private:
    [[nodiscard]] group_node* pass_turn_locked() noexcept;
    [[nodiscard]] bool close_one_locked() noexcept {
        if (--open_ != 0) return false;
        if (!std::exchange(is_waiting_, false) &&  // U6
            !mutated<Env>(mutation::group_wakes_who_does_not_wait)) {
            return false;
        }
        has_ended_ = true;
        return true;
    }
    [[nodiscard]] bool stops_first_locked() noexcept {
        return !std::exchange(is_stopping_, true) || mutated<Env>(mutation::group_stops_twice);
    }
    void keep_locked(group_node& n) noexcept {
        if (!std::exchange(n.keeps_task_, true)) core().keep(n);
    }
    void keep_open_locked() noexcept {
        if (!mutated<Env>(mutation::group_stops_uncounted)) ++open_;  // U1
    }
    /// By whoever was the first to stop the group, and keeps it open until here.
    void ask_all(bool asks_body) noexcept {
        while (group_node* const n = take_unasked()) core().ask(*n);
        if (asks_body) core().ask_body();
        close_one();
    }
    [[nodiscard]] Core& core() noexcept { return static_cast<Core&>(*this); }

    const std::size_t limit_;
    std::size_t open_ = 0;
    std::size_t turns_taken_ = 0;
};

// ---------------------------------------------------------------------------------------------

template <class Env, class Core>
auto group_state<Env, Core>::enter_child(group_node& n) noexcept -> entrance {
    std::lock_guard guard{mutex_};
    if (is_stopping_ && !mutated<Env>(mutation::group_adds_without_look)) {  // U2
        asked_.push_back(n);
        return entrance::comes_too_late;
    }
    if (turns_taken_ == limit_) {
        n.is_queued_ = true;
        queued_.push_back(n);
        return entrance::waits;
    }
    n.has_turn_ = true;
    ++turns_taken_;
    begun_.push_back(n);
    return entrance::begins;
}

template <class Env, class Core>
bool group_state<Env, Core>::leave_queue(group_node& n) noexcept {
    std::lock_guard guard{mutex_};
    if (!std::exchange(n.is_queued_, false)) {  // U8
        return mutated<Env>(mutation::group_leaves_queue_twice);
    }
    list_as_asked_locked(n);
    return true;
}

/// Of a child that is done and had one.
template <class Env, class Core>
group_node* group_state<Env, Core>::pass_turn_locked() noexcept {
    group_node* const next = is_stopping_ ? nullptr : queued_.front();
    if (next == nullptr || mutated<Env>(mutation::group_keeps_the_turn)) {
        --turns_taken_;
        return nullptr;
    }
    queued_.remove(*next);
    next->is_queued_ = false;
    next->has_turn_ = true;
    begun_.push_back(*next);
    return next;
}

template <class Env, class Core>
template <class Fails, class GoOn>
void group_state<Env, Core>::end_child(group_node& n, Fails fails, GoOn go_on) noexcept {
    std::unique_lock guard{mutex_};
    n.list_->remove(n);
    group_node* const next = n.has_turn_ ? pass_turn_locked() : nullptr;
    bool stops = false;
    if (fails(!is_stopping_)) {
        keep_locked(n);
        stops = stops_first_locked();
    }
    const bool asks_body = stops && !is_leaving_;
    const bool is_kept = n.keeps_task_;
    if (is_kept) ended_.push_back(n);
    const bool closes = !stops || mutated<Env>(mutation::group_stops_uncounted);  // U1
    const bool ends = closes && close_one_locked();
    guard.unlock();
    go_on(next, is_kept);
    if (stops) ask_all(asks_body);
    if (ends) core().wake_owner();
}

template <class Env, class Core>
template <class Note>
void group_state<Env, Core>::stop(Note note_why) noexcept {
    std::unique_lock guard{mutex_};
    if (has_ended_ || !stops_first_locked()) return;
    const bool asks_body = !is_leaving_;
    note_why();
    keep_open_locked();
    guard.unlock();
    ask_all(asks_body);
}

template <class Env, class Core>
group_node* group_state<Env, Core>::take_unasked() noexcept {
    std::lock_guard guard{mutex_};
    group_list& list = begun_.front() != nullptr ? begun_ : queued_;
    group_node* const n = list.front();
    if (n == nullptr) return nullptr;
    list_as_asked_locked(*n);  // U3
    keep_locked(*n);
    return n;
}

}  // namespace weft::detail
