// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A plain function as ready work of its own: what is behind call_soon and call_later. A callback is
// a hidden task, which one call makes up, so queues, stealing and fairness know nothing of it. Its
// record is a control block that also holds the callable, which goes as soon as it was called,
// cancelled or dropped: callback_claim.hpp says by whom. One with a deadline waits on its creator's
// wheel, as if it had gone to sleep before its first step.
//
// The last phase of shutdown (runtime_core::close) looks for callbacks here: those that are ready
// are called, those whose time has not come are dropped like tasks cancelled before they began.
#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>
#include <tuple>
#include <type_traits>
#include <utility>

#include "weft/base/check.hpp"
#include "weft/task/callback_claim.hpp"
#include "weft/task/create_task.hpp"

namespace weft::detail {

class callback_state;
struct callback_access;

/// What can be called once with these arguments, moved to where they wait.
template <class F, class... Args>
concept callback_function = std::invocable<std::decay_t<F>, std::decay_t<Args>...>;

/// What differs between records by their callables.
struct callback_kind {
    void (*call)(callback_state&);  // may throw what the callable throws
    void (*destroy_callable)(callback_state&) noexcept;
    void (*free)(callback_state&) noexcept;  // the record, without its callable
};

class callback_state : public task_state {
public:
    /// Null for what is no callback.
    [[nodiscard]] static callback_state* from(task_state& task) noexcept {
        return task.ops == &ops_ ? static_cast<callback_state*>(&task) : nullptr;
    }

    // Any holder of a reference, any thread.
    /// True: it is not called, and its callable is gone. False: it has been or is being called.
    bool cancel() noexcept;
    [[nodiscard]] bool is_cancelled() const noexcept { return claim_.is_cancelled(); }
    [[nodiscard]] time_point when() const noexcept { return when_; }

    /// Queues it; `here` is this thread's worker, of whatever runtime, or null. One reference is
    /// the caller's, the other the runtime's. Throws runtime_closed, std::bad_alloc; then it is not
    /// called.
    void start(worker_port* here);

protected:
    callback_state(const callback_kind& kind, worker_port& creator, runtime_port& home,
                   time_point when, std::source_location location) noexcept
        : task_state(ops_, &creator, home, location), kind_(&kind), when_(when) {
        hidden = true;
    }
    ~callback_state() = default;

    using body_function = coro<void>(callback_state&);
    /// Gives it its body and registers it.
    void enlist(body_function& make_body, worker_port* here);
    /// Whether `here` is a worker of its runtime.
    [[nodiscard]] bool is_at_home(const worker_port* here) const noexcept {
        return here != nullptr && &here->runtime() == &runtime();
    }
    static coro<void> call_now(callback_state& self);
    /// The runner, once.
    void call() noexcept;
    /// Whoever ends it without a call.
    void drop_callable() noexcept;

private:
    static std::coroutine_handle<> finish(runnable& self, std::coroutine_handle<> frame) noexcept;
    static std::coroutine_handle<> abandon(runnable& self) noexcept;
    static void dispose(task_state& self) noexcept;
    [[nodiscard]] std::coroutine_handle<> end() noexcept;
    void report_failure() noexcept;

    static const runnable_ops ops_;

    callback_claim<real_environment> claim_;
    const callback_kind* kind_;
    time_point when_;
};

/// One that waits for its time.
class timed_callback : public callback_state {
public:
    /// The same. On a worker of its runtime its timer is armed at once, elsewhere by its first step
    /// on one.
    void start(worker_port* here);

protected:
    timed_callback(const callback_kind& kind, worker_port& creator, runtime_port& home,
                   time_point when, std::source_location location) noexcept
        : callback_state(kind, creator, home, when, location) {}
    ~timed_callback() = default;

private:
    class timer final : public detail::operation, public timer_waiter {
    public:
        explicit timer(timed_callback& of) noexcept : timer_waiter(&on_fire), of_(of) {}
        life::cancel_outcome unlink() noexcept override;
        [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override {
            return trace::suspend_reason::timer;
        }

    private:
        static std::uint64_t on_fire(timer_waiter& waiter) noexcept;
        timed_callback& of_;
    };
    class arming;

    static coro<void> wait_and_call(callback_state& self);
    void arm(worker_port& here) noexcept;

    timer timer_{*this};
};

/// A callable with the arguments of its one call.
template <class F, class... Args>
class bound_call {
public:
    template <class G, class... Given>
    explicit bound_call(std::in_place_t /*tag*/, G&& callable, Given&&... args)
        : callable_(std::forward<G>(callable)), args_(std::forward<Given>(args)...) {
        if constexpr (may_be_empty) {
            WEFT_CHECK(callable_ != nullptr, "a callback needs a function; this one is empty");
        }
    }
    void operator()() {
        std::apply(
            [this](Args&... args) {
                static_cast<void>(std::invoke(std::move(callable_), std::move(args)...));
            },
            args_);
    }

private:
    // Not a lambda, which may also be compared, as the pointer that it converts to.
    static constexpr bool may_be_empty =
        std::is_pointer_v<F> || std::is_member_pointer_v<F> || requires(const F& f) {
            f.operator bool();
            f != nullptr;
        };

    [[no_unique_address]] F callable_;
    [[no_unique_address]] std::tuple<Args...> args_;
};

/// `State` with room for the callable.
template <class State, class Call>
class callback_record final : public State {
public:
    /// Throws std::bad_alloc, and what moving the callable throws.
    static callback_record* make(Call&& call, worker_port& creator, runtime_port& home,
                                 time_point when) {
        static_assert(alignof(callback_record) <= 16,
                      "give an over-aligned callable by std::unique_ptr");
        void* block = allocate_block(block_bytes_of<callback_record>());
        try {
            return new (block) callback_record(std::move(call), creator, home, when);
        } catch (...) {
            free_block(block, block_bytes_of<callback_record>());
            throw;
        }
    }

private:
    callback_record(Call&& call, worker_port& creator, runtime_port& home, time_point when)
        : State(kind_, creator, home, when, std::source_location::current()) {
        callable_.emplace(std::move(call));
    }
    ~callback_record() = default;
    static callback_record& record(callback_state& self) noexcept {
        return static_cast<callback_record&>(self);
    }
    static void call(callback_state& self) { record(self).callable_.get()(); }
    static void destroy_callable(callback_state& self) noexcept {
        record(self).callable_.destroy();
    }
    static void free(callback_state& self) noexcept {
        auto* const block = &record(self);
        block->~callback_record();
        free_block(block, block_bytes_of<callback_record>());
    }

    static constexpr callback_kind kind_{&call, &destroy_callable, &free};
    [[no_unique_address]] value_storage<Call> callable_;
};

/// This thread's worker. Throws usage_error outside of tasks and callbacks.
[[nodiscard]] worker_port& worker_for_callback();

}  // namespace weft::detail
