// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The part of a coroutine's promise that does not depend on its result: who awaits it, which
// runnable it runs in, where it was written, and how control passes from frame to frame.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <source_location>
#include <type_traits>
#include <utility>

#include "weft/base/check.hpp"
#include "weft/task/frame_pool.hpp"
#include "weft/task/runnable.hpp"

// Fact: g++ emits a tail call for symmetric transfer only when it optimises sibling calls, and
// never under a sanitizer; clang always does. Elsewhere each transfer nests a stack frame.
#if !defined(__clang__) && \
    (defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__))
#define WEFT_BOUND_TRANSFERS 1
#else
#define WEFT_BOUND_TRANSFERS 0
#endif

// Fact: before 19, clang may inline await_suspend before it splits the coroutine: what it keeps may
// then lie in a frame that is gone (llvm-project issue 56301).
#if !defined(__clang__) || __clang_major__ >= 19
#define WEFT_INLINE_AWAIT [[gnu::always_inline]]
#else
#define WEFT_INLINE_AWAIT
#endif

// Of an await_resume that may throw. A frame between the throw and the coroutine costs some 1400
// instructions of unwinding, and one that has something to destroy twice that: inlined, a
// cancellation passes a level of a chain of tasks in 0.63 of the time.
#define WEFT_INLINE_RESUME [[gnu::always_inline]]

namespace weft::detail {

/// A child of a join ran to its end in `self`; returns what runs next. Inline, in join_scope.hpp:
/// called, it costs a fork a tenth of its time.
[[nodiscard]] std::coroutine_handle<> child_done(join_scope& join, runnable& self) noexcept;
[[nodiscard]] std::coroutine_handle<> child_done_slowly(join_scope& join, runnable& self) noexcept;
/// Before that, if it failed.
void child_failed(join_scope& join, const runnable& self, const std::exception_ptr& error) noexcept;

/// Where control passes to `next` by symmetric transfer. Where transfers nest, every 128th one goes
/// through the worker's loop instead, which bounds the stack.
[[nodiscard]] inline std::coroutine_handle<> transfer(runnable& self,
                                                      std::coroutine_handle<> next) noexcept {
#if WEFT_BOUND_TRANSFERS
    return bounded_transfer(self, next);
#else
    static_cast<void>(self);
    return next;
#endif
}

/// What `co_await a` asks to suspend.
template <class A>
decltype(auto) awaiter_of(A&& a) {
    if constexpr (requires { std::forward<A>(a).operator co_await(); })
        return std::forward<A>(a).operator co_await();
    else if constexpr (requires { operator co_await(std::forward<A>(a)); })
        return operator co_await(std::forward<A>(a));
    else
        return std::forward<A>(a);
}

/// An awaiter that takes any coroutine's handle resumes it wherever it likes, also on a thread that
/// is no worker, and cannot be cancelled.
template <class A>
concept foreign_awaitable =
    requires(std::remove_reference_t<decltype(awaiter_of(std::declval<A>()))>& awaiter,
             std::coroutine_handle<> any) { awaiter.await_suspend(any); };

/// What suspends has these; a number, a pointer, a lambda or a vector of tasks has not.
template <class A>
concept can_be_awaited =
    requires(std::remove_reference_t<decltype(awaiter_of(std::declval<A>()))>& a) {
        a.await_ready();
        a.await_resume();
    };

class promise_base {
public:
#if defined(__clang__)
    // Fact: g++ 12 copies the temporary that it passes to await_transform. There commit_suspend
    // checks in debug builds what this checks here.
    template <class A>
    A&& await_transform(A&& awaitable) const noexcept {
        static_assert(can_be_awaited<A>,
                      "there is nothing to wait for: co_await takes the call of a coroutine "
                      "function, std::move of a coro, a task, a future or an operation of weft");
        static_assert(!foreign_awaitable<A>,
                      "a weft coroutine awaits what weft can resume on its own workers; give the "
                      "result of anything else to a oneshot and await that");
        return std::forward<A>(awaitable);
    }
#endif

    /// Fact: an exception out of initial_suspend frees the frame twice on g++ 12: noexcept,
    /// trivial.
    std::suspend_always initial_suspend() const noexcept { return {}; }

    struct final_awaiter {
        final_awaiter() noexcept {}
        bool await_ready() const noexcept { return false; }
        template <class Promise>
        WEFT_INLINE_AWAIT std::coroutine_handle<> await_suspend(
            std::coroutine_handle<Promise> frame) noexcept {
            promise_base& promise = frame.promise();
            runnable& self = *promise.runnable_;
            if (promise.is_child()) return child_done(*promise.join(), self);
            if (promise.caller_ == 0) return self.ops->finish(self, frame);
            return transfer(self, promise.caller()->handle());
        }
        void await_resume() const noexcept {}
    };
    final_awaiter final_suspend() const noexcept { return {}; }

    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* block, std::size_t size) noexcept { free_frame(block, size); }
#if defined(__clang__)
    // Chosen by -fcoro-aligned-allocation, with the frame's own alignment.
    static void* operator new(std::size_t size, std::align_val_t alignment) {
        return allocate_frame(size, alignment_of(alignment));
    }
    static void operator delete(void* block, std::size_t size,
                                std::align_val_t alignment) noexcept {
        free_frame(block, size, alignment_of(alignment));
    }
    static std::size_t alignment_of(std::align_val_t wanted) noexcept {
        auto bytes = static_cast<std::size_t>(wanted);
        WEFT_CHECK(bytes <= 64, "a coroutine's local may be aligned to 64 bytes at most");
        return bytes <= 16 ? 16 : 64;
    }
#endif

    /// The runnable that suspends, is cancelled and is woken for this coroutine: what an awaiter
    /// keeps.
    [[nodiscard]] runnable& current() noexcept {
        if (runnable_->worker->local_join != nullptr) [[unlikely]]
            leave_parents_place();
        return *runnable_;
    }
    /// The same for those who only hand it on to another coroutine: a child of a when_all may run
    /// in its parent's place.
    [[nodiscard]] runnable& in_place() const noexcept { return *runnable_; }
    [[nodiscard]] const std::source_location& location() const noexcept { return location_; }
    /// For a coroutine that does nothing but run another: shows that one's place.
    void stand_for(const std::source_location& location) noexcept { location_ = location; }
    /// Who awaits this one; null for the outermost, which a task, or a join, waits for.
    /// Once entered.
    [[nodiscard]] promise_base* caller() const noexcept {
        return is_child() ? nullptr : reinterpret_cast<promise_base*>(caller_);
    }
    /// The same across joins: null for the outermost of a task.
    [[nodiscard]] promise_base* enclosing() const noexcept;
    /// Whether it is the outermost coroutine of a child of a join.
    [[nodiscard]] bool is_child() const noexcept { return (caller_ & child_mark) != 0; }
    [[nodiscard]] join_scope* join() const noexcept {
        return reinterpret_cast<join_scope*>(caller_ - child_mark);
    }
    /// Fact: both compilers put a promise of alignment <= 16 at the same offset of the frame, so
    /// the handle can be had from the base; coro_promise asserts the alignment.
    [[nodiscard]] std::coroutine_handle<> handle() noexcept {
        return std::coroutine_handle<promise_base>::from_promise(*this);
    }

    /// Whether somebody has taken it to run it; nobody will be told if it goes from then on.
    [[nodiscard]] bool is_entered() const noexcept { return caller_ != not_entered; }
    /// Runs inside `self`, called from `caller` (nullptr: outermost).
    void enter(runnable& self, promise_base* caller) noexcept {
        runnable_ = &self;
        caller_ = reinterpret_cast<std::uintptr_t>(caller);
    }
    /// Becomes a child: `self` may be its parent's runnable, or one that does not live yet.
    void enter(runnable* self, join_scope& parent) noexcept {
        runnable_ = self;
        caller_ = reinterpret_cast<std::uintptr_t>(&parent) + child_mark;
    }
    void run_in(runnable& self) noexcept { runnable_ = &self; }

protected:
    /// It has ended with `error`.
    void note_failure(const std::exception_ptr& error) noexcept {
        if (is_child()) child_failed(*join(), *runnable_, error);
    }
    explicit promise_base(std::source_location location) noexcept : location_(location) {}
    ~promise_base() = default;

private:
    static constexpr std::uintptr_t child_mark = 1;
    static constexpr std::uintptr_t not_entered = 2;  // no promise is there

    void leave_parents_place() noexcept;

    runnable* runnable_;                   // once entered
    std::uintptr_t caller_ = not_entered;  // a promise_base*, or a join_scope* with the mark
    std::source_location location_;
};

}  // namespace weft::detail
