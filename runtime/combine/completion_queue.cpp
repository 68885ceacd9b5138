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
    : dual_queue(children.size(), deadline),
      children_(std::move(children)),
      members_(std::make_unique<member[]>(size())) {}

std::shared_ptr<completion_queue> completion_queue::make(std::vector<any_task> children,
                                                         time_point deadline) {
    const auto leave = [](completion_queue* queue) { queue->abandon(); };
    std::shared_ptr<completion_queue> queue{new completion_queue(std::move(children), deadline),
                                            leave};
    queue->begin();
    return queue;
}

void completion_queue::begin() noexcept {
    holders_.add(static_cast<std::uint32_t>(size()));  // one for each member
    for (std::size_t i = 0; i < size(); ++i) {
        member& m = members_[i];
        m.queue = this;
        if (task_access::state(children_[i])->add_completion(m)) continue;
        put_first(m);
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
    if (holders_.drop()) delete this;  // K4
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
    task_state* waiting = nullptr;
    try_see_oldest([&waiting](taker& oldest) {
        waiting = static_cast<completion_taker&>(oldest).self_->owner;
        waiting->retain();
    });
    return waiting;
}

/// One that is done and was not taken is on its way to a taker, who may give it back. Looked at in
/// this order: where none was at the end, none was at the beginning.
waits_on completion_queue::name_pending(wait_listener& to) noexcept {
    const std::size_t not_taken = left();
    if (size() > most_looked_at) return waits_on::outside;
    std::size_t pending = 0;
    bool listens = true;
    for (const any_task& child : children_) {
        const task_state& state = *task_access::state(child);
        if (state.is_done()) continue;
        ++pending;
        listens = listens && to.hear_of_task(state);
    }
    return pending == not_taken ? waits_on::any : waits_on::outside;
}

void completion_queue::member::on_done(completion_node& node) noexcept {
    auto& self = static_cast<member&>(node);
    completion_queue& queue = *self.queue;
    completion_taker::go_on(queue.put(self));
    queue.drop();
}

void completion_queue::give_back(item& child) noexcept { completion_taker::go_on(put_back(child)); }

void completion_queue::keep() noexcept {
    confirm([](taker& one) { completion_taker::go_on(&one); });
}

void completion_taker::go_on(taker* one) noexcept {
    if (one != nullptr) wake(*static_cast<completion_taker*>(one)->self_);
}

life::cancel_outcome completion_taker::unlink() noexcept {
    if (!queue_->leave(*this)) return life::cancel_outcome::lost;
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
    if (!queue_->leave(*this)) return false;
    set_late();
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
        if (outcome() == result::item) queue_->give_back(given());
        throw_cancelled(*self_);
    }
    switch (outcome()) {
        case result::item:
            queue_->keep();
            return &queue_->child(given());
        case result::late:
            throw timeout_error("weft: the deadline passed before the next task had ended");
        case result::all_taken:
        case result::none:
            break;
    }
    return nullptr;
}

}  // namespace weft::detail
