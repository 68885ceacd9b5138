// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "task/look.hpp"

#include <utility>

#include "weft/task/lifecycle_look.hpp"
#include "weft/task/promise.hpp"
#include "weft/task/task_state.hpp"

namespace weft::detail {

namespace {

using seen = lifecycle_look<real_environment>;

constexpr unsigned tries = 64;            // another look, or a canceller's, is over sooner
constexpr unsigned deepest = 16;          // children in children: each is a call
constexpr std::size_t most_heard = 4096;  // of those that are done, nothing is noted

/// The caller has it by begin(). Afterwards it may be gone.
void let_go(runnable& held) noexcept {
    switch (seen::end(held.lifecycle)) {
        case life::release_duty::handle_again:
            return handle_requests(held);
        case life::release_duty::enqueue:
            return submit(held);
        case life::release_duty::none:
            return;
    }
}

}  // namespace

bool look_notes::take(runnable& task) noexcept {
    for (unsigned i = 0; i < tries; ++i) {
        count_ = heard_ = 0;
        stamp_ = 0;
        is_cut_ = false;
        if (look_at(task)) return true;
        real_environment::relax();
    }
    return false;
}

bool look_notes::look_at(runnable& waiting) noexcept {
    if (!seen::begin(waiting.lifecycle)) return false;
    mix(waiting.runs);
    note_coroutines(waiting);
    const operation& op = *waiting.operation;
    add(kind::waits).why = op.wait_reason();
    note& needs = add(kind::all_of);
    needs.has_limit = waiting.limits.load(std::memory_order_relaxed) != 0;  // V2
    note_needs(op, needs);
    let_go(waiting);
    return true;
}

/// Lines lie in one another.
void look_notes::note_needs(const operation& op, note& needs) noexcept {
    note* const outer_needs = std::exchange(needs_, &needs);
    const bool outer_has_skipped = std::exchange(has_skipped_, false);
    switch (op.name_awaited(*this)) {
        case waits_on::outside:
            needs.is_open = true;
            break;
        case waits_on::all:
            break;
        case waits_on::any:
            needs.what = kind::one_of;
            needs.is_open = has_skipped_;
            break;
        case waits_on::all_or_one_failed:
            needs.what = kind::all_unless_one_fails;
            needs.is_open = has_skipped_;
            break;
    }
    needs_ = outer_needs;
    has_skipped_ = outer_has_skipped;
}

/// Fact: the promise lies at the same offset of every weft coroutine's frame (promise.hpp).
void look_notes::note_coroutines(const runnable& waiting) noexcept {
    void* const innermost = waiting.resume_point.address();
    const promise_base* at =
        &std::coroutine_handle<promise_base>::from_address(innermost).promise();
    for (; at != nullptr; at = at->caller()) {
        note* const added = try_add(kind::coroutine);
        if (added == nullptr) return;
        added->place = at->location();
    }
}

/// For what ends a line or begins another part of it: try_add() has left room for those.
auto look_notes::add(kind what) noexcept -> note& {
    note& added = notes_[count_++];
    added.what = what;
    added.is_open = added.has_limit = false;
    return added;
}

/// Null: there is only room left for the rest of this line (two), and the ends of those around it
/// and of one more.
auto look_notes::try_add(kind what) noexcept -> note* {
    if (count_ + 3 + depth_ < room) return &add(what);
    is_cut_ = true;
    return nullptr;
}

bool look_notes::stop_hearing() noexcept {
    is_cut_ = has_skipped_ = true;
    return false;
}

/// The task stays: the one that awaits it, and cannot go on, has a reference, or holds the lock
/// without which the task cannot end.
bool look_notes::hear_of_task(const task_state& awaited) noexcept {
    if (++heard_ > most_heard) return stop_hearing();
    const bool is_future = awaited.is_future();
    const bool is_done = awaited.is_done();
    if (is_done || is_future) has_skipped_ = true;  // a promise may be anybody's
    if (is_done) return true;
    note* const added = try_add(is_future ? kind::future : kind::task);
    if (added == nullptr) return stop_hearing();
    if (is_future)
        added->place = awaited.location();
    else
        added->task = awaited.id();
    return true;
}

void look_notes::hear_of_limit() noexcept { needs_->has_limit = true; }

void look_notes::hear_of_holder(std::uint64_t task_id) noexcept {
    mix(task_id);
    if (note* const added = try_add(kind::task)) added->task = task_id;
}

/// The child stays: its parent cannot go on (J2 of join_scope.hpp).
bool look_notes::hear_of_child(runnable& child) noexcept {
    if (++heard_ > most_heard || depth_ == deepest) return stop_hearing();
    const std::size_t before = count_;
    if (try_add(kind::child) == nullptr) return stop_hearing();
    ++depth_;
    const bool waits = look_at(child);
    --depth_;
    if (waits) {
        add(kind::end_of_child);
    } else {
        count_ = before;
        has_skipped_ = true;
    }
    return true;
}

}  // namespace weft::detail
