// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/completion_queue.hpp"

#include "task/requeue.hpp"
#include "weft/error.hpp"

namespace weft::detail {

namespace {

constexpr std::size_t most_looked_at = 4096;  // a look is bounded

}  // namespace

completion_queue::completion_queue(std::vector<any_task> children, time_point deadline)
    : children_(std::move(children)),
      members_(std::make_unique<member[]>(children_.size())),
      deadline_(deadline) {}

std::shared_ptr<completion_queue> completion_queue::make(std::vector<any_task> children,
                                                         time_point deadline) {
    const auto leave = [](completion_queue* queue) { queue->abandon(); };
    std::shared_ptr<completion_queue> queue{new completion_queue(std::move(children), deadline),
                                            leave};
    queue->begin();
    return queue;
}

void completion_queue::begin() noexcept {
    references_.fetch_add(size(), std::memory_order_relaxed);  // K5: one for each member
    for (std::size_t i = 0; i < size(); ++i) {
        member& m = members_[i];
        m.queue = this;
        if (task_access::state(children_[i])->add_completion(m)) continue;
        {
            std::lock_guard guard{mutex_};
            static_cast<void>(pass_on(m, place::last));  // nobody waits yet
        }
        drop();
    }
}

void completion_queue::abandon() noexcept {
    for (std::size_t i = 0; i < size(); ++i) {
        if (task_access::state(children_[i])->remove_completion(members_[i])) drop();
    }
    drop();
}

void completion_queue::drop() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;  // K5 K4
}

constinit const completion_kind completion_queue::member::kind{
    .notify = &on_done,
    .waiter =
        [](completion_node& node) noexcept {
            return static_cast<member&>(node).queue->oldest_waiter();
        },
};

/// Who is in the list has not been woken (K1). Whoever asks holds the list of a child, and must not
/// wait: where others are at it just now, it is told of nobody.
task_state* completion_queue::oldest_waiter() noexcept {
    const std::unique_lock guard{mutex_, std::try_to_lock};
    if (!guard.owns_lock() || first_taker_ == nullptr) return nullptr;
    task_state* const waiting = first_taker_->self_->owner;
    waiting->retain();
    return waiting;
}

/// One that is done and was not taken is on its way to a taker, who may give it back. Looked at in
/// this order: where none was at the end, none was at the beginning.
waits_on completion_queue::name_pending(wait_listener& to) noexcept {
    std::size_t left = 0;
    {
        std::lock_guard guard{mutex_};
        left = size() - taken_;
    }
    if (size() > most_looked_at) return waits_on::outside;
    std::size_t pending = 0;
    bool listens = true;
    for (const any_task& child : children_) {
        const task_state& state = *task_access::state(child);
        if (state.is_done()) continue;
        ++pending;
        listens = listens && to.hear_of_task(state);
    }
    return pending == left ? waits_on::any : waits_on::outside;
}

void completion_queue::member::on_done(completion_node& node) noexcept {
    auto& self = static_cast<member&>(node);
    completion_queue& queue = *self.queue;
    runnable* taker = nullptr;
    {
        std::lock_guard guard{queue.mutex_};
        if (!queue.is_late()) taker = queue.pass_on(self, place::last);
    }
    if (taker != nullptr) wake(*taker);
    queue.drop();
}

/// By the clock, not by a timer's turn: so it is the same for those who wait and those who do not.
bool completion_queue::is_late() noexcept {
    if (!is_late_ && deadline_ != time_point::max())
        is_late_ = real_environment::now() >= deadline_;
    return is_late_;
}

runnable* completion_queue::pass_on(member& done, place among_ready) noexcept {
    if (completion_taker* taker = pop_taker()) {
        taker->child_ = static_cast<std::size_t>(&done - members_.get());
        taker->result_ = completion_taker::result::child;
        return taker->self_;
    }
    if (among_ready == place::first || first_ready_ == nullptr) {
        done.next_ready = std::exchange(first_ready_, &done);
        if (last_ready_ == nullptr) last_ready_ = &done;
    } else {
        last_ready_->next_ready = &done;
        last_ready_ = &done;
    }
    return nullptr;
}

completion_taker* completion_queue::pop_taker() noexcept {
    completion_taker* const taker = first_taker_;
    if (taker == nullptr) return nullptr;
    first_taker_ = std::exchange(taker->next_, nullptr);
    if (first_taker_ == nullptr) last_taker_ = nullptr;
    taker->is_waiting_ = false;
    return taker;
}

bool completion_queue::take_or_wait(completion_taker& taker) noexcept {
    using result = completion_taker::result;
    std::lock_guard guard{mutex_};
    if (member* const ready = first_ready_) {
        first_ready_ = std::exchange(ready->next_ready, nullptr);
        if (first_ready_ == nullptr) last_ready_ = nullptr;
        taker.child_ = static_cast<std::size_t>(ready - members_.get());
        taker.result_ = result::child;
        return false;
    }
    if (taken_ == size() || is_late()) {
        taker.result_ = taken_ == size() ? result::all_taken : result::late;
        return false;
    }
    (first_taker_ == nullptr ? first_taker_ : last_taker_->next_) = &taker;
    last_taker_ = &taker;
    taker.is_waiting_ = true;
    return true;
}

bool completion_queue::leave_list(completion_taker& taker) noexcept {
    std::lock_guard guard{mutex_};
    if (!taker.is_waiting_) return false;
    completion_taker* before = nullptr;
    for (completion_taker* at = first_taker_; at != &taker; at = at->next_) before = at;
    (before == nullptr ? first_taker_ : before->next_) = std::exchange(taker.next_, nullptr);
    if (last_taker_ == &taker) last_taker_ = before;
    taker.is_waiting_ = false;
    return true;
}

void completion_queue::give_back(std::size_t child) noexcept {
    runnable* taker = nullptr;
    {
        std::lock_guard guard{mutex_};
        taker = pass_on(members_[child], place::first);
    }
    if (taker != nullptr) wake(*taker);
}

void completion_queue::confirm() noexcept {
    std::unique_lock guard{mutex_};
    if (++taken_ != size()) return;
    while (completion_taker* const taker = pop_taker()) {
        taker->result_ = completion_taker::result::all_taken;
        guard.unlock();
        wake(*taker->self_);
        guard.lock();
    }
}

life::cancel_outcome completion_taker::unlink() noexcept {
    if (!queue_->leave_list(*this)) return life::cancel_outcome::lost;
    unlinked_ = true;
    return life::cancel_outcome::unlinked;
}

trace::suspend_reason completion_taker::wait_reason() const noexcept {
    return trace::suspend_reason::join;
}

waits_on completion_taker::name_awaited(wait_listener& to) const noexcept {
    name_limit(to);
    return queue_->name_pending(to);
}

bool completion_taker::expire() noexcept {
    if (!queue_->leave_list(*this)) return false;
    result_ = result::late;
    return true;
}

bool completion_taker::begin(runnable& self, std::coroutine_handle<> caller) noexcept {
    self_ = &self;
    self.resume_point = caller;
    self.operation = this;
    if (queue_->take_or_wait(*this)) {
        arm(self);
        return commit_suspend(self);
    }
    self_ = nullptr;  // no suspension, so no request is delivered here
    return !self.worker->spend_ready_await() && gives_way(self, caller);
}

const any_task* completion_taker::end() {
    disarm();
    if (self_ != nullptr && must_deliver_cancel(*self_, *this)) {
        if (result_ == result::child) queue_->give_back(child_);
        throw_cancelled(*self_);
    }
    switch (result_) {
        case result::child:
            queue_->confirm();
            return &queue_->child(child_);
        case result::late:
            throw timeout_error("weft: the deadline passed before the next task had ended");
        case result::all_taken:
        case result::none:
            break;
    }
    return nullptr;
}

}  // namespace weft::detail
