// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/callback.hpp"

#include <new>
#include <optional>

#include "task/failure_sink.hpp"
#include "weft/error.hpp"
#include "weft/task/never_awaited.hpp"

namespace weft::detail {

constinit const runnable_ops callback_state::ops_{&finish, &abandon, &dispose};

worker_port& worker_for_callback() {
    worker_port* here = this_worker();
    if (here == nullptr || here->current.is_empty()) {
        throw usage_error(
            "call_soon, call_later and call_at were called outside a task: use those of the "
            "runtime from other threads");
    }
    return *here;
}

coro<void> callback_state::call_now(callback_state& self) {
    self.call();
    co_return;
}

void callback_state::call() noexcept {
    if (!claim_.try_call()) return;
    // Destroyed here and not with the record, which a handle may keep for long.
    try {
        kind_->call(*this);
    } catch (...) {
        report_failure();
    }
    kind_->destroy_callable(*this);
}

void callback_state::report_failure() noexcept {
    try {
        failure what{failure::kind::in_callback, name(), std::current_exception(), {}};
        what.message = "exception in " + what.task_name + ": " + describe(what.exception);
        runtime().failures()->report(what);
    } catch (const std::bad_alloc&) {
        return;  // no memory left to say so
    }
}

void callback_state::drop_callable() noexcept {
    if (!claim_.try_cancel()) return;
    const quiet_drop with_what_it_captured;
    kind_->destroy_callable(*this);
}

bool callback_state::cancel() noexcept {
    if (!claim_.try_cancel()) return claim_.is_cancelled();
    retain();  // what the callable captured may have been the last handle
    // Takes the timer away; the record itself ends in its turn, on a worker. The callable last:
    // what it captured may do anything when it goes, so nothing may be left to do here.
    request_cancel(*this, {});
    {
        const quiet_drop with_what_it_captured;
        kind_->destroy_callable(*this);
    }
    drop();
    return true;
}

void callback_state::enlist(body_function& make_body, worker_port* here) {
    try {
        coro<void> body = make_body(*this);
        coro_access::promise(body).enter(*this, nullptr);
        resume_point = coro_access::release(body);
    } catch (...) {
        drop();  // the runtime's reference, as begin_task does
        throw;
    }
    begin_task(*this, {}, std::nullopt, runtime(), here);
    // Registered first: either this sees that callbacks are dropped, or whoever drops sees this.
    if (runtime().drops_callbacks()) [[unlikely]]
        request_cancel(*this, {});
}

void callback_state::start(worker_port* here) {
    enlist(call_now, here);
    if (is_at_home(here))
        here->submit_back(*this);
    else
        runtime().inject(*this);
}

std::coroutine_handle<> callback_state::finish(runnable& self,
                                               std::coroutine_handle<> frame) noexcept {
    frame.destroy();
    return static_cast<callback_state&>(self).end();
}

std::coroutine_handle<> callback_state::abandon(runnable& self) noexcept {
    auto& dropped = static_cast<callback_state&>(self);
    dropped.drop_callable();
    dropped.resume_point.destroy();
    return dropped.end();
}

/// Requests are answered by the claim: none turns the outcome into a cancellation.
std::coroutine_handle<> callback_state::end() noexcept {
    if (may_be_unshared()) {  // no handle is left: the usual case
        if (std::coroutine_handle<> next = finish_unshared()) return next;
    }
    while (!complete_value()) static_cast<void>(lifecycle.take_requests());
    return leave();
}

void callback_state::dispose(task_state& self) noexcept {
    auto& last = static_cast<callback_state&>(self);
    last.drop_callable();  // of one that was never registered
    last.kind_->free(last);
}

/// For one that came from elsewhere: waits for the deadline on the wheel of the worker that runs
/// it. Gives whether that has come; otherwise it was cancelled or dropped, and nothing is thrown.
class timed_callback::arming {
public:
    explicit arming(timed_callback& of) noexcept : of_(of) {}
    bool await_ready() const noexcept { return false; }
    template <weft_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) const noexcept {
        of_.resume_point = caller;
        of_.operation = &of_.timer_;
        of_.worker->arm(of_.timer_, of_.when());
        return commit_suspend(of_);
    }
    bool await_resume() const noexcept { return !must_deliver_cancel(of_, of_.timer_); }

private:
    timed_callback& of_;
};

coro<void> timed_callback::wait_and_call(callback_state& self) {
    auto& mine = static_cast<timed_callback&>(self);
    const bool is_due = co_await arming{mine};
    if (is_due)
        mine.call();
    else
        mine.drop_callable();
}

void timed_callback::start(worker_port* here) {
    if (!is_at_home(here)) {
        enlist(wait_and_call, here);
        runtime().inject(*this);
        return;
    }
    enlist(call_now, here);
    // As if its body had begun to wait before its first step. Once armed it may fire at any time;
    // what comes before the suspension is published makes it ready at once.
    operation = &timer_;
    here->arm(timer_, when());
    if (!commit_fork(*this)) here->submit_back(*this);
}

life::cancel_outcome timed_callback::timer::unlink() noexcept {
    if (unlinked_ || !port->disarm(*this)) return life::cancel_outcome::lost;
    unlinked_ = true;
    return life::cancel_outcome::unlinked;
}

std::uint64_t timed_callback::timer::on_fire(timer_waiter& waiter) noexcept {
    timed_callback& due = static_cast<timer&>(waiter).of_;
    const std::uint64_t id = due.id();  // read before it may be gone
    wake(due);
    return id;
}

}  // namespace weft::detail
