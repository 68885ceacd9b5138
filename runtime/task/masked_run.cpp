// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/masked_run.hpp"

#include "weft/task/task_state.hpp"

namespace weft::detail {

constexpr runnable_ops masked_runnable::kind{&masked_runnable::finish, nullptr, nullptr};

std::coroutine_handle<> masked_run::begin(runnable& self, std::coroutine_handle<> caller) noexcept {
    worker_port& here = *self.worker;
    const std::coroutine_handle<> first = coro_access::handle(body_);
    masked_runnable& inner = runnable_.emplace(self);
    inner.resume_point = first;
    inner.runs = 1;  // it begins here: nothing can come before
    coro_access::promise(body_).enter(inner, nullptr);
    self.resume_point = caller;
    self.operation = this;
    here.current.clear();
    // Only the end of the body, which is yet to begin, resumes `self`: the frame stays.
    const bool suspended = commit_fork(self);
    WEFT_DCHECK(suspended, "a task was woken before what it waits for had begun");
    static_cast<void>(suspended);
    here.current.set(inner);
    return transfer(inner, first);
}

trace::suspend_reason masked_run::wait_reason() const noexcept {
    return trace::suspend_reason::join;
}

/// Its frame stays: whoever waits for it cannot go on.
waits_on masked_run::name_awaited(wait_listener& to) const noexcept {
    static_cast<void>(to.hear_of_child(*runnable_));
    return waits_on::all;
}

std::coroutine_handle<> masked_runnable::finish(runnable& self,
                                                std::coroutine_handle<> /*frame*/) noexcept {
    worker_port& here = *self.worker;
    runnable& resumed = *static_cast<masked_runnable&>(self).awaiting;
    here.current.clear();  // the end of the await frees it
    // A canceller that is asking the task just now queues it when it lets go.
    if (resumed.lifecycle.wake() != life::wake_duty::enqueue) return std::noop_coroutine();
    resumed.worker = &here;
    static_cast<void>(resumed.count_run());  // it has not waited all the time: see look.hpp
    here.current.set(resumed);
    return transfer(resumed, resumed.resume_point);
}

}  // namespace weft::detail
