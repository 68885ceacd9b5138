// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// shield: awaits a task without handing it the requests of the awaiting one.
#pragma once

#include <concepts>
#include <coroutine>
#include <type_traits>
#include <utility>

#include "weft/combine/gather_argument.hpp"
#include "weft/task/ready_turn.hpp"

namespace weft {

namespace detail {

/// The await of a shield, without the result's type. Movable until it is awaited. Nothing shared of
/// its own: its node is told or removed, never both (A1 of task_state.hpp), and that decides
/// between the end of the task and a request.
class shield_operation : public operation, public completion_node {
public:
    shield_operation(shield_operation&& other) noexcept;

    life::cancel_outcome unlink() noexcept override;
    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override;
    waits_on name_awaited(wait_listener& to) const noexcept override;

    bool await_ready() const noexcept {
        WEFT_CHECK(target_, "this shield was moved from");
        WEFT_CHECK(self_ == nullptr, "a shield is awaited once");
        return target_.done() && may_go_on();
    }
    template <weft_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return begin(caller.promise().current(), caller);
    }

protected:
    explicit shield_operation(any_task target) noexcept
        : completion_node(kind_), target_(std::move(target)) {}
    ~shield_operation() = default;
    /// At the resumption: throws what the await must throw.
    void end();
    [[nodiscard]] task_state& target() const noexcept { return *task_access::state(target_); }

private:
    [[nodiscard]] bool begin(runnable& self, std::coroutine_handle<> caller) noexcept;

    static const completion_kind kind_;
    any_task target_;
    runnable* self_ = nullptr;
    bool awaits_itself_ = false;
};

/// `Move`: the value is for this await alone.
template <class T, bool Move>
class shielded final : public shield_operation {
public:
    explicit shielded(any_task target) noexcept : shield_operation(std::move(target)) {}
    std::conditional_t<Move, T, std::add_lvalue_reference_t<T>> await_resume() {
        end();
        if constexpr (std::is_void_v<T>)
            return;
        else if constexpr (Move)
            return static_cast<value_record<T>&>(target()).take();
        else
            return value_in<T>(target());
    }
};

template <class A>
using shield_of = shielded<gathered<std::remove_cvref_t<A>>,
                           gather_argument<std::remove_cvref_t<A>>::own || !std::is_reference_v<A>>;

}  // namespace detail

/// `co_await shield(t)` gives what `co_await t` gives, but cancelling the awaiting task ends only
/// the await: that throws `cancelled` at once, and t goes on. If t then fails, and nobody else
/// looks at that, it is reported once as never observed. A coroutine becomes a task at the call,
/// and so does another awaitable, such as a gather. Awaiting a task that has ended does not
/// suspend. Nothing need be kept alive: the runtime owns t, and cancels it when it closes.
///
/// The result can be moved, and given to a gather for instance, until it is awaited, once. Throws
/// usage_error for a task that shields itself; call it inside a task.
template <class A>
    requires detail::gatherable<A>
[[nodiscard]] detail::shield_of<A> shield(A&& argument) {
    std::remove_cvref_t<A> given(std::forward<A>(argument));
    return detail::shield_of<A>{detail::gather_argument<std::remove_cvref_t<A>>::start(given)};
}

}  // namespace weft
