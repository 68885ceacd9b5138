// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// strand: runs what it is given one at a time, in the order in which it came, on any worker. What
// only a strand's jobs touch needs no lock. The protocol is that of strand_queue.hpp.
#pragma once

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

#include "weft/base/lifetime.hpp"
#include "weft/sync/strand_core.hpp"

namespace weft {

class runtime;

/// A handle: copies are the same strand, and what was queued runs also after the last of them is
/// gone. One costs a block of 64 bytes from the frames' pool, so every connection may have its own.
///
/// Whatever has the strand has it alone, and what one of them did happens before the next. A
/// coroutine keeps the strand from its first step to its end, also while it waits: nothing else
/// gets in between. So it must not wait for something that needs the strand. Where that is its own
/// `run`, also through coroutines that it awaits or joins with when_all, it is told by usage_error.
/// A circle through other tasks, such as `co_await s.create_task(...)` on the strand that one has,
/// or two strands taken in different order, is a deadlock; cancellation ends it.
///
/// Fair: what waits gets the strand in the order of post, of create_task and of the begin of each
/// await of run. After 64 callables in a row a busy strand goes to the back of its worker's queue.
///
/// A strand belongs to a runtime, whose close() waits until everything that was posted has run (so
/// a callable must not post itself for ever), and cancels coroutines like any. Threads that are no
/// workers of it may use it as well, also tasks of other runtimes; once it is gone they are told by
/// runtime_closed. They must not do so while it is being destroyed.
class strand {
public:
    /// Of the runtime of the running task. Throws usage_error outside a task, std::bad_alloc.
    strand() : core_(detail::strand_core::make(detail::strand_core::runtime_here())) {}
    /// Of `home`: from any thread.
    template <std::same_as<runtime> Runtime>
    explicit strand(Runtime& home)
        : core_(detail::strand_core::make(detail::runtime_access::port(home))) {}

    /// Queues a call of `f`, which may be move-only and returns nothing that matters; it is called
    /// and destroyed on the strand, never inside of this call. An exception of its goes to the
    /// runtime's failure handler. Never waits, any thread. Throws std::bad_alloc and
    /// runtime_closed; `f` is not called then.
    template <class F>
        requires std::invocable<std::decay_t<F>>
    void post(F&& f) const;

    /// `co_await s.run(body)` runs `body` on the strand, in the awaiting task, and gives its value
    /// or exception. The place in the queue is taken when the await begins; an idle strand is had
    /// at once, without a suspension (but each 128th await of one run that need not suspend lets
    /// what is ready go first, before it takes its place). Cancelled while it waits, it leaves the
    /// queue and `body` never starts; from then on, `body` is cancelled as anything awaited in
    /// place.
    template <class T>
    WEFT_OWNS_ARGUMENTS [[nodiscard]] coro<T> run(coro<T> body WEFT_LIFETIMEBOUND) const {
        return detail::run_on_strand(detail::strand_hold{shared()}, std::move(body));
    }
    /// The same for `f(args...)`, moved into a frame: a coroutine, or a plain callable, which is
    /// called in the awaiting task.
    template <class F, class... Args>
        requires std::invocable<std::decay_t<F>, std::decay_t<Args>...>
    WEFT_OWNS_ARGUMENTS [[nodiscard]] auto run(F&& f, Args&&... args) const;

    /// A task that has the strand from its first step to its end. It takes its place in the queue
    /// now. Cancelled while it waits there, it ends without having begun. Throws what
    /// weft::create_task and post throw.
    template <class T>
    task<T> create_task(coro<T> body WEFT_LIFETIMEBOUND, task_options options = {}) const;
    /// The same for `callable(args...)`, moved into the task's frame.
    template <class F, class... Args>
        requires detail::coroutine_callable<F, Args...>
    auto create_task(task_options options, F&& callable, Args&&... args) const {
        return create_task(detail::invoke_in_frame<std::decay_t<F>, std::decay_t<Args>...>(
                               std::forward<F>(callable), std::forward<Args>(args)...),
                           options);
    }
    template <class F, class... Args>
        requires detail::coroutine_callable<F, Args...>
    auto create_task(F&& callable, Args&&... args) const {
        return create_task(task_options{}, std::forward<F>(callable), std::forward<Args>(args)...);
    }

    /// Whether both are handles to the same strand.
    friend bool operator==(const strand& one, const strand& other) noexcept {
        return one.core_.get() == other.core_.get();
    }

private:
    [[nodiscard]] const detail::strand_ref& shared() const {
        WEFT_CHECK(core_.get() != nullptr, "this strand was moved from");
        return core_;
    }
    detail::strand_ref core_;
};

// ---------------------------------------------------------------------------------------------

namespace detail {

/// What post() queues: one block.
template <class F>
class strand_call final : public strand_job {
public:
    template <class G>
    static strand_call* make(G&& callable) {
        static_assert(alignof(strand_call) <= 16, "post an over-aligned callable by unique_ptr");
        void* block = allocate_block(sizeof(strand_call));
        try {
            return new (block) strand_call(std::forward<G>(callable));
        } catch (...) {
            free_block(block, sizeof(strand_call));
            throw;
        }
    }
    void release() noexcept {
        this->~strand_call();
        free_block(this, sizeof(strand_call));
    }

private:
    template <class G>
    explicit strand_call(G&& callable) : strand_job(&call), callable_(std::forward<G>(callable)) {}
    ~strand_call() = default;

    static void call(strand_job& job, strand_core& strand) noexcept {
        auto& self = static_cast<strand_call&>(job);
        try {
            static_cast<void>(std::invoke(std::move(self.callable_)));
        } catch (...) {
            strand.report(std::current_exception());
        }
        self.release();
    }

    F callable_;
};

}  // namespace detail

template <class F>
    requires std::invocable<std::decay_t<F>>
void strand::post(F&& f) const {
    static_assert(!detail::coroutine_callable<F>,
                  "a coroutine that nobody awaits does nothing: give it to create_task or run");
    detail::strand_core& core = *shared().get();
    auto* job = detail::strand_call<std::decay_t<F>>::make(std::forward<F>(f));
    try {
        core.post(*job);
    } catch (...) {
        job->release();
        throw;
    }
}

template <class F, class... Args>
    requires std::invocable<std::decay_t<F>, std::decay_t<Args>...>
auto strand::run(F&& f, Args&&... args) const {
    if constexpr (detail::coroutine_callable<F, Args...>) {
        return run(detail::invoke_in_frame<std::decay_t<F>, std::decay_t<Args>...>(
            std::forward<F>(f), std::forward<Args>(args)...));
    } else {
        using result = std::invoke_result_t<std::decay_t<F>, std::decay_t<Args>...>;
        return detail::call_on_strand<result, std::decay_t<F>, std::decay_t<Args>...>(
            detail::strand_hold{shared()}, std::forward<F>(f), std::forward<Args>(args)...);
    }
}

template <class T>
task<T> strand::create_task(coro<T> body WEFT_LIFETIMEBOUND, task_options options) const {
    WEFT_CHECK(body.valid(), "create_task was given a coro that was awaited or moved from");
    detail::strand_core& core = *shared().get();
    detail::worker_port& worker = core.worker_to_create();
    const std::source_location location = detail::coro_access::promise(body).location();
    detail::strand_place place;
    coro<T> holding =
        detail::run_on_strand(detail::strand_hold{shared(), place.get()}, std::move(body));
    detail::coro_access::promise(holding).stand_for(location);
    task<T> handle = detail::start_task(holding, options, &worker, core.home());
    core.queue_start(*detail::task_access::state(handle), place.take());
    return handle;
}

}  // namespace weft
