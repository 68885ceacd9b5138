// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// when_all: structured fork-join. The children live no longer than the await: each is a coroutine
// frame and no task. The parent's worker runs them itself, unless an idle worker takes one first.
#pragma once

#include <coroutine>
#include <cstddef>
#include <memory>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "weft/base/lifetime.hpp"
#include "weft/combine/inplace_vector.hpp"
#include "weft/task/coro.hpp"
#include "weft/task/join_scope.hpp"
#include "weft/task/pool_allocator.hpp"

namespace weft {
class any_task;
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
    /// Of one that nobody awaits yet.
    when_all_pack(when_all_pack&& other) noexcept : coros_(std::move(other.coros_)) {}
    bool await_ready() const noexcept {
        WEFT_CHECK(!begun(), "a when_all is awaited once");
        return count == 0;
    }
    template <weft_promise Promise>
    WEFT_INLINE_AWAIT std::coroutine_handle<> await_suspend(
        std::coroutine_handle<Promise> caller) noexcept {
        if constexpr (count == 0)
            return caller;  // await_ready has said so
        else
            return begin(caller.promise(), count, reinterpret_cast<fork_node*>(nodes_),
                         in_order{*this});
    }
    std::tuple<value_or_monostate<Ts>...> await_resume() {
        if constexpr (count != 0) end();
        return std::apply(
            [](coro<Ts>&... child) {
                return std::tuple<value_or_monostate<Ts>...>{take(child)...};
            },
            coros_);
    }

private:
    static constexpr std::size_t count = sizeof...(Ts);

    struct in_order {
        when_all_pack& all;

        [[nodiscard]] promise_base& first() const noexcept { return child<0>(); }
        template <class Visit>
        [[gnu::always_inline]] void others(Visit visit) const noexcept {
            [&]<std::size_t... I> [[gnu::always_inline]] (std::index_sequence<I...>) {
                (visit(count - 1 - I, child<count - 1 - I>()), ...);
            }(std::make_index_sequence<count - 1>{});
        }
        template <std::size_t I>
        [[nodiscard]] promise_base& child() const noexcept {
            return promise_of_child(std::get<I>(all.coros_));
        }
    };

    template <class T>
    static value_or_monostate<T> take(coro<T>& child) {
        if constexpr (std::is_void_v<T>)
            return {};
        else
            return std::move(coro_access::promise(child).result.value());
    }

    std::tuple<coro<Ts>...> coros_;
    alignas(fork_node) std::byte nodes_[count == 0 ? 1 : count * sizeof(fork_node)];
};

/// Children in a vector, and room for their nodes from the pool.
template <class T, class Allocator>
class vector_children {
public:
    using child = coro<T>;

    explicit vector_children(std::vector<coro<T>, Allocator> given) : coros_(std::move(given)) {
        if (coros_.empty()) return;
        nodes_ = static_cast<fork_node*>(allocate_block(coros_.size() * sizeof(fork_node)));
    }
    vector_children(vector_children&& other) noexcept
        : coros_(std::move(other.coros_)), nodes_(std::exchange(other.nodes_, nullptr)) {}
    vector_children(const vector_children&) = delete;
    vector_children& operator=(const vector_children&) = delete;
    ~vector_children() {
        if (nodes_ != nullptr) free_block(nodes_, coros_.size() * sizeof(fork_node));
    }

    [[nodiscard]] std::size_t size() const noexcept { return coros_.size(); }
    [[nodiscard]] coro<T>* data() noexcept { return coros_.data(); }
    [[nodiscard]] fork_node* nodes() noexcept { return nodes_; }
    void end() noexcept {}  // they end with this
    /// Room for a value of each.
    [[nodiscard]] auto make_values() const
        requires(!std::is_void_v<T>)
    {
        using value_allocator = typename std::allocator_traits<Allocator>::template rebind_alloc<T>;
        std::vector<T, value_allocator> values(value_allocator(coros_.get_allocator()));
        values.reserve(coros_.size());
        return values;
    }

private:
    std::vector<coro<T>, Allocator> coros_;
    fork_node* nodes_ = nullptr;
};

/// Children in a place of the caller's, and the room for their nodes in the await itself.
template <class T, std::size_t N>
class borrowed_children {
public:
    using child = coro<T>;

    explicit borrowed_children(inplace_vector<coro<T>, N>& given) noexcept
        : coros_(given), size_(given.size()) {}

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] coro<T>* data() noexcept { return coros_.data(); }
    [[nodiscard]] fork_node* nodes() noexcept { return reinterpret_cast<fork_node*>(nodes_); }
    /// Once awaited: what the children were given is not kept any longer.
    void end() noexcept {
        WEFT_CHECK(coros_.size() == size_, "the list of a when_all was changed during the await");
        coros_.clear();
    }
    [[nodiscard]] auto make_values() const
        requires(!std::is_void_v<T>)
    {
        return inplace_vector<T, N>{};
    }

private:
    inplace_vector<coro<T>, N>& coros_;
    std::size_t size_;
    alignas(fork_node) std::byte nodes_[N * sizeof(fork_node)];
};

template <class Children>
class when_all_range final : private join_scope {
public:
    template <class Given>
    explicit when_all_range(std::in_place_t /*tag*/, Given&& given)
        : children_(std::forward<Given>(given)) {}
    when_all_range(when_all_range&& other) noexcept : children_(std::move(other.children_)) {}

    bool await_ready() const noexcept {
        WEFT_CHECK(!begun(), "a when_all is awaited once");
        return children_.size() == 0;
    }
    template <weft_promise Promise>
    WEFT_INLINE_AWAIT std::coroutine_handle<> await_suspend(
        std::coroutine_handle<Promise> caller) noexcept {
        return begin(caller.promise(), children_.size(), children_.nodes(), in_order{*this});
    }
    auto await_resume() {
        struct ends {
            Children& children;
            ~ends() { children.end(); }
        } ends_children{children_};
        const std::span all{children_.data(), children_.size()};
        if (!all.empty()) end();
        if constexpr (!std::is_void_v<typename Children::child::value_type>) {
            auto values = children_.make_values();
            for (auto& child : all) {
                values.push_back(std::move(coro_access::promise(child).result.value()));
            }
            return values;
        }
    }

private:
    struct in_order {
        when_all_range& all;

        [[nodiscard]] promise_base& first() const noexcept {
            return promise_of_child(all.children_.data()[0]);
        }
        template <class Visit>
        void others(Visit visit) const noexcept {
            auto* const children = all.children_.data();
            for (std::size_t i = all.children_.size(); i-- > 1;) {
                visit(i, promise_of_child(children[i]));
            }
        }
    };

    Children children_;
};

}  // namespace detail

/// Runs the coroutines concurrently inside the current task and waits for all. Completes when every
/// child has ended; gives their values in argument order (std::monostate for void). The first
/// exception cancels the others, is thrown once all have ended, and wins over a cancellation; later
/// ones are dropped. Cancelling the task cancels each child; the await then throws `cancelled` even
/// if every child declined. A child's failure stops the others only if nothing else has yet: their
/// clean-up is not interrupted. The children may run on other workers and in any order.
template <class... Ts>
[[nodiscard]] detail::when_all_pack<Ts...> when_all(coro<Ts>... children WEFT_LIFETIMEBOUND) {
    return detail::when_all_pack<Ts...>{std::move(children)...};
}

/// The same for any number of one type: gives a std::vector<T> with the same allocator, or nothing
/// for void. Throws std::bad_alloc before any child has begun. pool_allocator makes it cheap.
template <class T, class Allocator>
[[nodiscard]] auto when_all(std::vector<coro<T>, Allocator> children WEFT_LIFETIMEBOUND) {
    using all = detail::vector_children<T, Allocator>;
    return detail::when_all_range<all>{std::in_place, std::move(children)};
}

/// The same for up to N of one type, without an allocation: gives an inplace_vector<T, N>, or
/// nothing for void. The list is a local of the coroutine that awaits, not to be touched meanwhile;
/// it is empty afterwards and may be filled anew. Whatever the number of children, the await has
/// N x 88 bytes in that coroutine's frame: beyond 40 a vector costs less.
template <class T, std::size_t N>
[[nodiscard]] auto when_all(inplace_vector<coro<T>, N>& children WEFT_LIFETIMEBOUND) {
    using all = detail::borrowed_children<T, N>;
    return detail::when_all_range<all>{std::in_place, children};
}

template <class... Given>
    requires(std::is_base_of_v<any_task, std::remove_cvref_t<Given>> || ...)
void when_all(Given&&... given) = delete;  // a task runs by itself: gather waits for tasks

}  // namespace weft
