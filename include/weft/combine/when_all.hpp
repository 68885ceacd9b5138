// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// when_all: structured fork-join. The children live inside the await: each is a coroutine frame, no
// task and no allocation beside it. The parent's worker runs them itself, unless an idle worker
// takes one first.
#pragma once

#include <array>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "weft/task/join_scope.hpp"
#include "weft/task/pool_allocator.hpp"

namespace weft {

namespace detail {

template <class T>
promise_base& promise_of_child(coro<T>& child) noexcept {
    WEFT_CHECK(child.valid(), "when_all was given a coro that was awaited or moved from");
    return coro_access::promise(child);
}

/// void as a value, for tuples.
template <class T>
using value_or_monostate = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class... Ts>
class when_all_pack final : private join_scope {
public:
    explicit when_all_pack(coro<Ts>... children) noexcept : coros_(std::move(children)...) {}
    bool await_ready() const noexcept {
        WEFT_CHECK(!begun(), "a when_all is awaited once");
        return sizeof...(Ts) == 0;
    }
    template <weft_promise Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        const auto promises = std::apply(
            [](coro<Ts>&... child) {
                return std::array<promise_base*, sizeof...(Ts)>{&promise_of_child(child)...};
            },
            coros_);
        return begin(caller.promise(), sizeof...(Ts), reinterpret_cast<fork_node*>(nodes_),
                     [&](std::size_t i) noexcept -> promise_base& { return *promises[i]; });
    }
    std::tuple<value_or_monostate<Ts>...> await_resume() {
        if constexpr (sizeof...(Ts) != 0) end();
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

    std::tuple<coro<Ts>...> coros_;
    alignas(fork_node) std::byte nodes_[sizeof...(Ts) == 0 ? 1 : sizeof...(Ts) * sizeof(fork_node)];
};

template <class T, class Allocator>
class when_all_range final : private join_scope {
public:
    using children = std::vector<coro<T>, Allocator>;

    explicit when_all_range(children given) : coros_(std::move(given)) {
        if (coros_.empty()) return;
        nodes_ = static_cast<fork_node*>(allocate_block(coros_.size() * sizeof(fork_node)));
    }
    ~when_all_range() {
        clean_up();
        if (nodes_ != nullptr) free_block(nodes_, coros_.size() * sizeof(fork_node));
    }
    bool await_ready() const noexcept {
        WEFT_CHECK(!begun(), "a when_all is awaited once");
        return coros_.empty();
    }
    template <weft_promise Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return begin(caller.promise(), coros_.size(), nodes_,
                     [this](std::size_t i) noexcept -> promise_base& {
                         return promise_of_child(coros_[i]);
                     });
    }
    auto await_resume() {
        if (!coros_.empty()) end();
        if constexpr (std::is_void_v<T>) {
            return;
        } else {
            using value_allocator =
                typename std::allocator_traits<Allocator>::template rebind_alloc<T>;
            std::vector<T, value_allocator> values{value_allocator(coros_.get_allocator())};
            values.reserve(coros_.size());
            for (coro<T>& child : coros_) {
                values.push_back(std::move(coro_access::promise(child).result.value()));
            }
            return values;
        }
    }

private:
    children coros_;
    fork_node* nodes_ = nullptr;
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

/// The same for any number of one type: gives a std::vector<T> with the same allocator, or nothing
/// for void. Throws std::bad_alloc before any child has begun. pool_allocator makes it cheap.
template <class T, class Allocator>
[[nodiscard]] detail::when_all_range<T, Allocator> when_all(
    std::vector<coro<T>, Allocator> children) {
    return detail::when_all_range<T, Allocator>{std::move(children)};
}

}  // namespace weft
