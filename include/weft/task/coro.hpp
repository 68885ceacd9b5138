// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// coro<T>: a coroutine that has not been started. Awaiting one runs it to its end inside the
// current task, by symmetric transfer: no queue, no task, no thread hop, no stack growth.
#pragma once

#include <concepts>
#include <coroutine>
#include <exception>
#include <source_location>
#include <type_traits>
#include <utility>

#include "weft/base/check.hpp"
#include "weft/base/lifetime.hpp"
#include "weft/task/join_scope.hpp"
#include "weft/task/never_awaited.hpp"
#include "weft/task/promise.hpp"
#include "weft/task/result_slot.hpp"

// Fact: without trivial_abi a coro goes through memory, as everything does that has a destructor,
// and stays in the caller's frame until the end of the full expression. The tag gives functions
// that take or return one other names than g++ does, so that the linker does not mix the two.
#if defined(__clang__)
#define WEFT_PASSED_IN_A_REGISTER [[clang::trivial_abi, gnu::abi_tag("register")]]
#else
#define WEFT_PASSED_IN_A_REGISTER
#endif

namespace weft {

template <class T>
class WEFT_PASSED_IN_A_REGISTER WEFT_BORROWS_ARGUMENTS coro;

namespace detail {

template <class T>
class coro_promise;
template <class T>
class coro_awaiter;
struct coro_access;

/// A coroutine that belongs to weft: its promise knows the runnable that it runs in.
template <class Promise>
concept weft_promise = std::derived_from<Promise, promise_base>;

}  // namespace detail

/// The result of calling a coroutine function: lazy, move-only, to be awaited once (`co_await f()`,
/// or `co_await std::move(c)`: a second time ends the process with a message) or given to
/// `create_task`, `gather`, `run` and their like.
///
/// Completes when the body returns or throws; the value or exception goes to whoever awaits.
/// It owns what its function took by value, and looks at what that took by reference, at the object
/// or lambda that it was called on included: these must live until it has ended, also where it
/// became a task (docs/lifetimes.md).
/// Destroying one that was never started frees its arguments, runs nothing and is reported, as
/// failure::kind::never_awaited, unless an exception is what destroys it. `close()` says that it is
/// not wanted.
/// Cancellation: it has none of its own; the task that awaits it does. Threads: not shared; the
/// body may resume on any worker after a suspension.
template <class T = void>
class [[nodiscard("a coroutine does nothing until it is awaited or given to create_task")]] coro {
    static_assert(!std::is_reference_v<T>, "return a pointer or std::reference_wrapper instead");

public:
    using promise_type = detail::coro_promise<T>;
    using value_type = T;

    coro(coro&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    coro(const coro&) = delete;  // a coroutine runs once: write std::move(c)
    coro& operator=(coro&& other) noexcept {
        std::swap(frame_, other.frame_);
        return *this;
    }
    ~coro();

    detail::coro_awaiter<T> operator co_await() && noexcept;
    void operator co_await() & = delete;  // write co_await std::move(c), or co_await f() directly

    /// False after it was moved from, awaited, closed or made a task.
    [[nodiscard]] bool valid() const noexcept { return static_cast<bool>(frame_); }
    /// Frees it and its arguments, coroutines among them, unstarted and unreported. Nothing happens
    /// if it is not valid.
    void close() noexcept;

private:
    friend promise_type;
    friend detail::coro_access;
    friend detail::coro_awaiter<T>;
    explicit coro(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

    std::coroutine_handle<promise_type> frame_;
};

// ---------------------------------------------------------------------------------------------

namespace detail {

template <class T>
class coro_promise final : public promise_base {
public:
    explicit coro_promise(std::source_location location = std::source_location::current()) noexcept
        : promise_base(location) {
        static_assert(alignof(coro_promise) <= 16, "return over-aligned values by std::unique_ptr");
    }
    coro<T> get_return_object() noexcept {
        return coro<T>{std::coroutine_handle<coro_promise>::from_promise(*this)};
    }
    template <class U = T>
        requires std::convertible_to<U, T>
    void return_value(U&& value) noexcept(std::is_nothrow_constructible_v<T, U>) {
        result.set_value(std::forward<U>(value));
    }
    void unhandled_exception() noexcept {
        result.set_error(std::current_exception());
        note_failure(result.error());
    }

    result_slot<T> result;
};

template <>
class coro_promise<void> final : public promise_base {
public:
    explicit coro_promise(std::source_location location = std::source_location::current()) noexcept
        : promise_base(location) {}
    coro<void> get_return_object() noexcept;
    void return_void() noexcept { result.set_value(); }
    void unhandled_exception() noexcept {
        result.set_error(std::current_exception());
        note_failure(result.error());
    }

    result_slot<void> result;
};

/// Takes a coroutine apart, for those who run it otherwise than by awaiting it.
struct coro_access {
    template <class T>
    static std::coroutine_handle<coro_promise<T>> release(coro<T>& c) noexcept {
        return std::exchange(c.frame_, nullptr);
    }
    template <class T>
    static coro_promise<T>& promise(coro<T>& c) noexcept {
        return c.frame_.promise();
    }
    template <class T>
    static std::coroutine_handle<> handle(coro<T>& c) noexcept {
        return c.frame_;
    }
    /// Of what is not wanted, or has ended: nobody is told, not of what it was given either.
    template <class T>
    static void discard(coro<T>& c) noexcept {
        if (c.frame_) destroy_quietly(release(c));
    }
};

template <class T>
class coro_awaiter {
public:
    explicit coro_awaiter(std::coroutine_handle<coro_promise<T>> frame) noexcept : frame_(frame) {}
    coro_awaiter(coro_awaiter&&) = delete;
    ~coro_awaiter() {
        if (frame_) frame_.destroy();
    }

    bool await_ready() const noexcept {
        WEFT_CHECK(frame_, "awaiting a coro that was moved from or awaited before");
        return false;
    }
    template <weft_promise Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        runnable& self = caller.promise().in_place();
        frame_.promise().enter(self, &caller.promise());
        return transfer(self, frame_);
    }
    WEFT_INLINE_RESUME T await_resume() { return frame_.promise().result.take(); }

private:
    std::coroutine_handle<coro_promise<T>> frame_;
};

inline coro<void> coro_promise<void>::get_return_object() noexcept {
    return coro<void>{std::coroutine_handle<coro_promise>::from_promise(*this)};
}

}  // namespace detail

// Fact: clang makes it inline only after it has split the coroutine whose temporary the coro is:
// the temporary is kept in that one's frame then, for 8 % of what a call costs.
template <class T>
[[gnu::always_inline]] inline coro<T>::~coro() {
    if (!frame_) return;
    if (!frame_.promise().is_entered()) [[unlikely]]
        detail::drop_never_awaited(frame_, frame_.promise());
    else
        frame_.destroy();
}

template <class T>
void coro<T>::close() noexcept {
    WEFT_CHECK(!frame_ || !frame_.promise().is_entered(),
               "a coro was closed while a when_all runs it: leave its list alone during the await");
    detail::coro_access::discard(*this);
}

template <class T>
detail::coro_awaiter<T> coro<T>::operator co_await() && noexcept {
    return detail::coro_awaiter<T>{std::exchange(frame_, nullptr)};
}

}  // namespace weft
