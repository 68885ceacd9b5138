// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/task.hpp"

#include <algorithm>
#include <stdexcept>

#include "ports/live_runtimes.hpp"
#include "task/task_extras.hpp"
#include "weft/task/callback.hpp"
#include "weft/task/create_task.hpp"
#include "weft/task/never_awaited.hpp"
#include "weft/trace/session.hpp"

namespace weft {

namespace detail {

namespace {

std::string describe_current_exception() {
    try {
        throw;
    } catch (const std::exception& e) {
        return e.what();
    } catch (...) {
        return "an exception that is not a std::exception";
    }
}

/// Queues the callback runner of a future. The end of the runtime waits for every task that it
/// knows, and a future may never be done: so it is registered only now. Where no task is taken any
/// more the callbacks are never called.
void start_late(task_state& runner, runtime_port* home) noexcept {
    try {
        if (home == nullptr) throw runtime_closed();
        home->enlist(runner, this_worker());
    } catch (...) {
        return runner.discard();
    }
    submit(runner);
}

/// Starts the callback runner, a task made beforehand so that completion allocates nothing. The
/// runner owns it. Until the task is done they keep no handle to it.
struct callback_starter : completion_node {
    callback_starter(task_state& task, const failure_sink& sink) noexcept
        : completion_node(kind), of(&task), home_sink(&sink) {}
    static const completion_kind kind;
    static void on_done(completion_node& node) noexcept {
        auto& self = static_cast<callback_starter&>(node);
        if (!self.of->is_future()) return self.start(nullptr);
        // Another one may lie where the runtime did. Each has its own sink, which the runner keeps.
        const live_runtime alive{&self.of->runtime()};
        runtime_port* const there = alive.get();
        const bool is_home = there != nullptr && there->failures().get() == self.home_sink;
        self.start(is_home ? there : nullptr);
    }
    /// `home`: of a future, the runtime, or null if that is gone.
    void start(runtime_port* home) noexcept {
        of->retain();
        done_task = task_access::adopt(of);
        of->is_future() ? start_late(*runner, home) : submit(*runner);
    }
    task_state* of;
    const failure_sink* home_sink;
    any_task done_task;
    task_state* runner = nullptr;
};

constinit const completion_kind callback_starter::kind{&on_done, nullptr};

/// Runs the callbacks of a task that is done, in order, until none is left.
coro<void> run_callbacks(std::unique_ptr<callback_starter> by, std::shared_ptr<failure_sink> sink) {
    const any_task done_task = std::move(by->done_task);
    task_extras& more = task_access::state(done_task)->extras();
    for (;;) {
        task_extras::callback next;
        {
            std::lock_guard guard{more.mutex};
            if (more.callbacks.empty()) {
                more.runner_registered = false;
                co_return;
            }
            next = std::move(more.callbacks.front());
            more.callbacks.erase(more.callbacks.begin());
        }
        static_cast<void>(current_runnable()->owner->exchange_context(std::move(next.context)));
        try {
            next.function(done_task);
        } catch (...) {
            failure what{
                failure::kind::in_callback, done_task.name(), std::current_exception(), {}};
            what.message = "exception in a done-callback of " + what.task_name + ": " +
                           describe_current_exception();
            sink->report(what);
        }
    }
}

/// With a runner that is neither registered nor queued yet: to be either that or discarded.
callback_starter& prepare_callbacks(task_state& of, runtime_port& runtime) {
    std::shared_ptr<failure_sink> sink = runtime.failures();
    auto starter = std::make_unique<callback_starter>(of, *sink);
    callback_starter& prepared = *starter;
    auto body = run_callbacks(std::move(starter), std::move(sink));
    prepared.runner = task_record<void>::make(body, &runtime.any_worker(), runtime);
    prepared.runner->hidden = true;
    prepared.runner->leave_to_runtime();
    return prepared;
}

}  // namespace

}  // namespace detail

bool any_task::cancelled() const {
    return done() && state().outcome() == detail::task_state::outcome_kind::cancelled;
}

std::exception_ptr any_task::exception() const {
    detail::task_state& task = state();
    using kind = detail::task_state::outcome_kind;
    task.throw_unless_done();
    if (task.outcome() == kind::value) return nullptr;
    if (task.outcome() == kind::cancelled) task.throw_unless_value();
    task.mark_observed();
    return task.error();
}

bool any_task::cancel(std::string_view reason, std::source_location where) const {
    detail::task_state& task = state();
    if (task.is_done()) {
        task.mark_observed();  // asyncio: a cancel of a failed task counts as having seen it
        return false;
    }
    return detail::request_cancel(task, detail::make_reason(reason, where));
}

namespace {

void look_for_requests() noexcept {
    if (detail::worker_port* here = detail::this_worker()) detail::meet_requests(*here);
}

}  // namespace

std::uint32_t any_task::cancelling() const {
    look_for_requests();
    return state().lifecycle.cancelling();
}

std::uint32_t any_task::uncancel() const {
    look_for_requests();
    return state().lifecycle.uncancel();
}

callback_token any_task::add_done_callback(std::move_only_function<void(any_task)> f) const {
    WEFT_CHECK(f, "a done-callback needs a function; this one is empty");
    detail::task_state& task = state();
    detail::task_extras& more = task.extras();
    detail::live_runtime alive{&task.runtime()};
    if (alive.get() == nullptr) throw runtime_closed();
    detail::callback_starter& starter = detail::prepare_callbacks(task, *alive.get());
    detail::task_state& runner = *starter.runner;
    // Whoever awaits this task directly, and so has been here first, is told first.
    if (detail::worker_port* const here = detail::this_worker())
        detail::publish_direct_await(*here);
    callback_token token = 0;
    {
        std::unique_lock guard{more.mutex};
        try {
            more.callbacks.push_back(
                {more.last_token + 1, std::move(f), detail::context_to_pass_on()});
            token = ++more.last_token;
            if (!more.runner_registered && !task.is_future())
                alive.get()->enlist(runner, detail::this_worker());
        } catch (...) {
            // What it captured may lock this or any runtime when it goes: not in here.
            if (token != 0) {
                f = std::move(more.callbacks.back().function);
                more.callbacks.pop_back();
            }
            guard.unlock();
            runner.discard();
            throw;
        }
        if (std::exchange(more.runner_registered, true)) {
            guard.unlock();
            runner.discard();
            return token;
        }
    }
    if (!task.add_completion(starter)) starter.start(alive.get());
    return token;
}

bool any_task::remove_done_callback(callback_token token) const {
    detail::task_extras* more = state().extras_if_any();
    if (more == nullptr) return false;
    const detail::quiet_drop with_what_it_captured;
    detail::task_extras::callback removed;  // destroyed outside the lock: it is the user's
    std::lock_guard guard{more->mutex};
    auto found = std::ranges::find(more->callbacks, token, &detail::task_extras::callback::token);
    if (found == more->callbacks.end()) return false;
    removed = std::move(*found);
    more->callbacks.erase(found);
    return true;
}

namespace detail {

worker_port& worker_for_create_task() {
    worker_port* here = this_worker();
    if (here == nullptr || here->current.is_empty()) {
        throw usage_error(
            "create_task was called outside a task: use weft::run(main()), or "
            "runtime::spawn() from other threads");
    }
    return *here;
}

namespace {

[[gnu::noinline]] void trace_creation(const task_state& state, std::string_view name,
                                      worker_port* here) noexcept {
    trace::emitter& emitter = here != nullptr ? here->trace : trace::this_thread_emitter();
    trace::task_create(emitter, state.id(), state.location());
    if (!name.empty()) trace::name_task(state.id(), name);
}

weft::priority checked(weft::priority level) {
    if (level <= weft::priority::background) return level;
    throw std::invalid_argument("weft: a priority is latency, normal or background");
}

/// The runtime's own tasks work for many, but for a callback, which is its creator's alone.
[[gnu::noinline]] void pass_context_on(const task_state& creator, task_state& fresh) noexcept {
    if (fresh.hidden && callback_state::from(fresh) == nullptr) return;
    static_cast<void>(fresh.exchange_context(task_context::passed_on(creator.context())));
}

void inherit(task_state& fresh, const worker_port* here) noexcept {
    const runnable* const creating = here == nullptr ? nullptr : here->current.get();
    if (creating == nullptr) return;
    const task_state& creator = *creating->owner;
    fresh.set_priority(creator.priority());
    if (creator.has_extras()) [[unlikely]]
        pass_context_on(creator, fresh);
}

}  // namespace

void begin_task(task_state& state, std::string_view name, std::optional<weft::priority> wanted,
                runtime_port& runtime, worker_port* here) {
    inherit(state, here);
    try {
        if (wanted) state.set_priority(checked(*wanted));
        if (!name.empty()) state.set_name(name);
        runtime.enlist(state, here);
    } catch (...) {
        state.discard();
        throw;
    }
    if (state.worker->trace.on(trace::bits::tasks)) [[unlikely]]
        trace_creation(state, name, here);
}

}  // namespace detail

void any_task::set_priority(weft::priority level) const {
    state().set_priority(detail::checked(level));
}

any_task current_task() {
    const detail::worker_port* const here = detail::this_worker();
    if (here == nullptr) {
        throw usage_error(
            "current_task was called on a thread that runs no tasks: hand it the task's handle");
    }
    const detail::runnable* const self = here->current.get();
    if (self == nullptr || self->owner == nullptr || self->owner->hidden) return {};
    self->owner->retain();
    return detail::task_access::adopt(self->owner);
}

std::vector<any_task> all_tasks() {
    detail::worker_port& here = detail::worker_for_create_task();
    std::vector<any_task> tasks;
    std::vector<detail::task_state*> live = here.runtime().live_tasks();
    try {
        tasks.reserve(live.size());
    } catch (...) {
        for (detail::task_state* state : live) state->drop();
        throw;
    }
    for (detail::task_state* state : live) {
        if (state->hidden)
            state->drop();
        else
            tasks.push_back(detail::task_access::adopt(state));
    }
    return tasks;
}

}  // namespace weft
