// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// when_all: structured fork-join. The children live inside the await: each is a coroutine frame
// plus a node in the parent's frame, no task and no allocation beside the frame. The parent's
// worker runs them itself, unless an idle worker takes one first.
#pragma once

#include <coroutine>
#include <cstddef>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "weft/combine/join_scope.hpp"

namespace weft {

namespace detail {

/// void as a value, for tuples.
template <class T>
using value_or_monostate = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class... Ts>
class when_all_pack final : private join_scope {
public:
    explicit when_all_pack(coro<Ts>... children) noexcept : coros_(std::move(children)...) {}
    when_all_pack(when_all_pack&&) = delete;
    ~when_all_pack() {
        if (begun_) std::destroy_n(nodes(), sizeof...(Ts));
    }
    bool await_ready() const noexcept {
        WEFT_CHECK(!begun_, "a when_all is awaited once");
        return sizeof...(Ts) == 0;
    }
    template <weft_promise Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        runnable& parent = caller.promise().current();
        join_scope& scope = *this;
        [[maybe_unused]] fork_node* next = nodes();
        std::apply(
            [&](coro<Ts>&... child) noexcept {
                (std::construct_at(next++, scope, parent, child), ...);
            },
            coros_);
        begun_ = true;
        return begin(parent, caller, {nodes(), sizeof...(Ts)});
    }
    std::tuple<value_or_monostate<Ts>...> await_resume() {
        if (begun_) end();
        return std::apply(
            [](coro<Ts>&... child) {
                return std::tuple<value_or_monostate<Ts>...>{take(child)...};
            },
            coros_);
    }

private:
    template <class T>
    static value_or_monostate<T> take(coro<T>& child) {
        if constexpr (std::is_void_v<T>)
            return {};
        else
            return std::move(coro_access::promise(child).result.value());
    }
    fork_node* nodes() noexcept { return reinterpret_cast<fork_node*>(storage_); }

    std::tuple<coro<Ts>...> coros_;
    bool begun_ = false;
    alignas(
        fork_node) std::byte storage_[sizeof...(Ts) == 0 ? 1 : sizeof...(Ts) * sizeof(fork_node)];
};

template <class T>
class when_all_range final : private join_scope {
public:
    explicit when_all_range(std::vector<coro<T>> children) : coros_(std::move(children)) {
        if (coros_.empty()) return;
        storage_ = static_cast<fork_node*>(allocate_block(coros_.size() * sizeof(fork_node)));
    }
    when_all_range(when_all_range&&) = delete;
    ~when_all_range() {
        if (begun_) std::destroy_n(storage_, coros_.size());
        if (storage_ != nullptr) free_block(storage_, coros_.size() * sizeof(fork_node));
    }
    bool await_ready() const noexcept {
        WEFT_CHECK(!begun_, "a when_all is awaited once");
        return coros_.empty();
    }
    template <weft_promise Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        runnable& parent = caller.promise().current();
        join_scope& scope = *this;
        for (std::size_t i = 0; i < coros_.size(); ++i) {
            std::construct_at(storage_ + i, scope, parent, coros_[i]);
        }
        begun_ = true;
        return begin(parent, caller, {storage_, coros_.size()});
    }
    auto await_resume() {
        if (begun_) end();
        if constexpr (std::is_void_v<T>) {
            return;
        } else {
            std::vector<T> values;
            values.reserve(coros_.size());
            for (coro<T>& child : coros_) {
                values.push_back(std::move(coro_access::promise(child).result.value()));
            }
            return values;
        }
    }

private:
    std::vector<coro<T>> coros_;
    fork_node* storage_ = nullptr;
    bool begun_ = false;
};

}  // namespace detail

/// Runs the coroutines concurrently inside the current task and waits for all. Completes when every
/// child has ended; gives their values in argument order (std::monostate for void). The first
/// exception cancels the others, is thrown once all have ended, and wins over a cancellation; later
/// ones are dropped. Cancelling the task cancels each child; the await then throws `cancelled` even
/// if every child declined. A child's failure stops the others only if nothing else has yet: their
/// clean-up is not interrupted. The children may run on other workers and in any order.
template <class... Ts>
[[nodiscard]] detail::when_all_pack<Ts...> when_all(coro<Ts>... children) {
    return detail::when_all_pack<Ts...>{std::move(children)...};
}

/// The same for any number of one type: gives std::vector<T>, or nothing for void. Throws
/// std::bad_alloc before any child has begun.
template <class T>
[[nodiscard]] detail::when_all_range<T> when_all(std::vector<coro<T>> children) {
    return detail::when_all_range<T>{std::move(children)};
}

}  // namespace weft
