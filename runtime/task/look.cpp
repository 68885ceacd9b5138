// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "task/look.hpp"

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
    if (op.name_awaited(*this) == waits_on::any) needs.what = kind::one_of;
    let_go(waiting);
    return true;
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
    return added;
}

/// Null: there is only room left for the rest of this line (two), and the ends of those around it
/// and of one more.
auto look_notes::try_add(kind what) noexcept -> note* {
    if (count_ + 3 + depth_ < room) return &add(what);
    is_cut_ = true;
    return nullptr;
}

/// The task stays: the one that awaits it, and cannot go on, has a reference.
bool look_notes::hear_of_task(const task_state& awaited) noexcept {
    if (++heard_ > most_heard) {
        is_cut_ = true;
        return false;
    }
    if (awaited.is_done() || awaited.is_future()) return true;  // a promise may be anybody's
    note* const added = try_add(kind::task);
    if (added != nullptr) added->task = awaited.id();
    return added != nullptr;
}

void look_notes::hear_of_holder(std::uint64_t task_id) noexcept {
    mix(task_id);
    if (note* const added = try_add(kind::task)) added->task = task_id;
}

/// The child stays: its parent cannot go on (J2 of join_scope.hpp).
bool look_notes::hear_of_child(runnable& child) noexcept {
    if (++heard_ > most_heard || depth_ == deepest) {
        is_cut_ = true;
        return false;
    }
    const std::size_t before = count_;
    if (try_add(kind::child) == nullptr) return false;
    ++depth_;
    const bool waits = look_at(child);
    --depth_;
    if (!waits)
        count_ = before;
    else
        add(kind::end_of_child);
    return true;
}

}  // namespace weft::detail
