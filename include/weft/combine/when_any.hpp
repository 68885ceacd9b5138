// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// when_any: the first answer of several, structured like when_all: whoever was not first is
// cancelled and has ended when the await ends.
//
// Protocol: when_any                          checked by: tests/stress/when_any_stress_test.cpp
// Roles      children (on any worker) · the parent, once all have ended
// Words      first: the child whose value or error is the await's
// Invariants V1 a child that ends cancelled asks the others to stop, but never becomes the first:
//               what a cancelled sibling has obtained all the same is not lost to it.
// Edges      none: the word is a claim; the outcomes are ordered by J3 of join_count.hpp
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "weft/combine/when_all.hpp"
#include "weft/error.hpp"
#include "weft/task/quiet_await.hpp"

namespace weft {

/// Which child was first, and its value: for a pack of children a std::variant of their types, with
/// std::monostate for void; for a vector of them T, or std::monostate.
template <class Value>
struct when_any_result {
    when_any_result(std::size_t which, Value what) : index(which), value(std::move(what)) {}
    std::size_t index;
    Value value;
};

namespace detail {

/// The await of children of which one counts.
class when_any_scope : protected join_scope {
public:
    explicit when_any_scope(std::size_t count) noexcept
        : join_scope(static_cast<unsigned>(std::min(count, std::size_t{1} << 24U))) {}
    /// A child, which is run by `runner`, has ended, with `error` or, if that is null, a value.
    void child_ended(std::size_t index, const std::exception_ptr* error,
                     promise_base& runner) noexcept;

protected:
    static constexpr std::size_t none = static_cast<std::size_t>(-1);
    [[nodiscard]] std::size_t first() const noexcept {
        return first_.load(std::memory_order_relaxed);  // see the edges
    }
    /// At the resumption: the index of the child that counts, or `none`: all ended cancelled.
    [[nodiscard]] std::size_t end_with_first();

private:
    real_environment::atomic<std::size_t> first_{none};
};

template <class T>
class contender_await : public quiet_await<T> {
public:
    contender_await(coro<T>& child, when_any_scope& all, std::size_t index) noexcept
        : quiet_await<T>(child), all_(&all), index_(index) {}
    template <weft_promise Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        contender_ = &caller.promise();
        return quiet_await<T>::await_suspend(caller);
    }
    void await_resume() const noexcept {
        auto& result = this->result();
        all_->child_ended(index_, result.has_error() ? &result.error() : nullptr, *contender_);
    }

private:
    when_any_scope* all_;
    std::size_t index_;
    promise_base* contender_ = nullptr;
};

/// What the join runs for a child; it never fails. The outcome stays in the child's frame.
template <class T>
coro<> contend(coro<T>& child, when_any_scope& all, std::size_t index) {
    co_await contender_await<T>{child, all, index};
}

struct contenders {
    coro<>* all;
    std::size_t count;

    [[nodiscard]] promise_base& first() const noexcept { return promise_of_child(all[0]); }
    template <class Visit>
    void others(Visit visit) const noexcept {
        for (std::size_t i = count; i-- > 1;) visit(i, promise_of_child(all[i]));
    }
};

/// The value of the child that was first, or its error.
template <class T>
value_or_monostate<T> value_of_first(coro<T>& child) {
    auto& result = coro_access::promise(child).result;
    if constexpr (std::is_void_v<T>) {
        result.take();
        return {};
    } else {
        return result.take();
    }
}

template <class T>
void throw_cancellation_of(coro<T>& child) {
    auto& result = coro_access::promise(child).result;
    if (result.has_error()) std::rethrow_exception(result.error());
}

template <class... Ts>
class when_any_pack final : private when_any_scope {
public:
    using values = std::variant<value_or_monostate<Ts>...>;

    explicit when_any_pack(coro<Ts>... children)
        : when_any_pack(std::index_sequence_for<Ts...>{}, children...) {}
    when_any_pack(const when_any_pack&) = delete;
    when_any_pack& operator=(const when_any_pack&) = delete;
    ~when_any_pack() {
        for (coro<>& each : contenders_) coro_access::discard(each);
        if (!begun()) return;  // the children were forgotten; else they are done with
        std::apply([](coro<Ts>&... child) { (coro_access::discard(child), ...); }, children_);
    }
    bool await_ready() const noexcept {
        WEFT_CHECK(!begun(), "a when_any is awaited once");
        return false;
    }
    template <weft_promise Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return begin(caller.promise(), count, reinterpret_cast<fork_node*>(nodes_),
                     contenders{contenders_.data(), count});
    }
    when_any_result<values> await_resume() {
        const std::size_t which = end_with_first();
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            if (which == none) (throw_cancellation_of(std::get<I>(children_)), ...);
            using take = values (*)(std::tuple<coro<Ts>...>&);
            static constexpr take takes[] = {&take_from<I>...};
            return when_any_result<values>{which, takes[which](children_)};
        }(std::index_sequence_for<Ts...>{});
    }

private:
    static constexpr std::size_t count = sizeof...(Ts);

    template <std::size_t... I>
    when_any_pack(std::index_sequence<I...> /*all*/, coro<Ts>&... children)
        : when_any_scope(count),
          children_(std::move(children)...),
          contenders_{contend(std::get<I>(children_), *this, I)...} {}
    template <std::size_t I>
    static values take_from(std::tuple<coro<Ts>...>& children) {
        return values{std::in_place_index<I>, value_of_first(std::get<I>(children))};
    }

    std::tuple<coro<Ts>...> children_;
    std::array<coro<>, count> contenders_;
    alignas(fork_node) std::byte nodes_[count * sizeof(fork_node)];
};

template <class T, class Allocator>
class when_any_vector final : private when_any_scope {
public:
    explicit when_any_vector(std::vector<coro<T>, Allocator> children)
        : when_any_scope(children.size()),
          children_(std::move(children)),
          contenders_(all_contenders()) {}
    when_any_vector(const when_any_vector&) = delete;
    when_any_vector& operator=(const when_any_vector&) = delete;
    ~when_any_vector() {
        for (std::size_t i = 0; i < contenders_.size(); ++i)
            coro_access::discard(contenders_.data()[i]);
        if (!begun()) return;  // as in a pack
        for (coro<T>& child : children_) coro_access::discard(child);
    }
    bool await_ready() const noexcept {
        WEFT_CHECK(!begun(), "a when_any is awaited once");
        return false;
    }
    template <weft_promise Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return begin(caller.promise(), contenders_.size(), contenders_.nodes(),
                     contenders{contenders_.data(), contenders_.size()});
    }
    when_any_result<value_or_monostate<T>> await_resume() {
        const std::size_t which = end_with_first();
        if (which == none) {
            for (coro<T>& child : children_) throw_cancellation_of(child);
        }
        return {which, value_of_first(children_[which])};
    }

private:
    using contender_allocator =
        typename std::allocator_traits<Allocator>::template rebind_alloc<coro<>>;

    std::vector<coro<>, contender_allocator> all_contenders() {
        if (children_.empty()) {
            throw std::invalid_argument("weft: when_any of no coroutines would wait for ever");
        }
        std::vector<coro<>, contender_allocator> all(
            contender_allocator(children_.get_allocator()));
        all.reserve(children_.size());
        for (std::size_t i = 0; i < children_.size(); ++i) {
            all.push_back(contend(children_[i], *this, i));
        }
        return all;
    }

    std::vector<coro<T>, Allocator> children_;
    vector_children<void, contender_allocator> contenders_;
};

}  // namespace detail

/// Runs the coroutines concurrently inside the current task until one of them ends with a value or
/// an exception; then cancels the others, waits until they have really ended, and gives the first
/// one's index and value, or throws its exception. What the others end with is dropped, a value
/// that one of them obtained nevertheless included: let a child whose value must not be lost hand
/// it over itself.
/// A child that ends cancelled stops the others as well, but any value or error goes before it.
/// Cancelling the task cancels each child. If none has a value or an error the await throws
/// `cancelled`; otherwise it gives that, and `cancelled` is thrown at the task's next suspension,
/// so that neither is lost. The children may run on other workers and begin in any order; those
/// that have not begun when the first one ends never do. Throws std::bad_alloc before any has.
template <class... Ts>
    requires(sizeof...(Ts) > 0)
[[nodiscard]] detail::when_any_pack<Ts...> when_any(coro<Ts>... children) {
    return detail::when_any_pack<Ts...>{std::move(children)...};
}

/// The same for any number of one type. Throws std::invalid_argument if there are none.
template <class T, class Allocator>
[[nodiscard]] auto when_any(std::vector<coro<T>, Allocator> children) {
    return detail::when_any_vector<T, Allocator>{std::move(children)};
}

}  // namespace weft
