// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// How parallel_for and parallel_reduce cut a range: into halves, and those again, each a child of a
// when_all, down to chunks that one worker walks through. At most two coroutines a level live in
// the branch that a worker is in, whatever the number of items (a chunk that suspends keeps its own
// branch); an idle worker takes the largest half that is left. (Recursive halving as in Cilk and in
// oneTBB's simple_partitioner.)
//
// Protocol: end of a split range                   checked by: tests/unit/combine/parallel_for_test
// Roles      the workers that run chunks
// Words      stopped: no further chunk is begun · failed: the error that will be thrown is known
// Invariants R1 one error at most leaves the chunks, the first; it sets stopped before. So what a
//               chunk leaves undone because of stopped is never taken for a result.
// Edges      none: both words are hints or claims; results and errors travel through the joins
// Rejected   leaving it to when_all: it tells the siblings of a failed child, and a worker that
//            computes chunks several joins deeper would go on with what is left of its half.
#pragma once

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <ranges>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>

#include "weft/error.hpp"
#include "weft/model/environment.hpp"
#include "weft/ports/ports.hpp"
#include "weft/task/coro.hpp"

namespace weft {

/// How parallel_for, parallel_reduce and their forms for chunks cut a range.
struct parallel_options {
    /// The least number of items that is worth a child. A range is halved while both halves have
    /// that many, so a chunk has from `grain` to less than twice as many items; one with less than
    /// twice `grain` items is one chunk, run by the caller. 0 chooses: the number of items divided
    /// by 32 times the number of workers, rounded up, which gives 16 to 32 chunks a worker where
    /// there are enough items. Give one where an item takes less than a microsecond and there are
    /// few of them, where a chunk would keep its worker for too long, or where a reduction has to
    /// be cut the same way everywhere.
    std::size_t grain = 0;
};

namespace detail {

/// What a range of indices may be made of.
template <class T>
concept index_type =
    std::integral<T> && sizeof(T) <= sizeof(std::uint64_t) && !std::same_as<T, bool> &&
    !std::same_as<T, char> && !std::same_as<T, wchar_t> && !std::same_as<T, char8_t> &&
    !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

/// Indices by their offset from the first. Its cursor is the index itself.
template <class Index>
class index_items {
public:
    template <class First, class Last>
    static index_items between(First first, Last last) {
        if (std::cmp_greater(first, last))
            throw std::invalid_argument("weft: a range of indices begins after its end");
        if (!std::in_range<Index>(first) || !std::in_range<Index>(last))
            throw std::invalid_argument(
                "weft: an end of the range does not fit the indices' type; give both the same one");
        return {static_cast<Index>(first), static_cast<Index>(last)};
    }
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    [[nodiscard]] Index at(std::uint64_t offset) const noexcept {
        // Modulo 2^64, so that no type's limits are in the way.
        return static_cast<Index>(static_cast<std::uint64_t>(first_) + offset);
    }
    static Index item(Index cursor) noexcept { return cursor; }
    [[nodiscard]] std::tuple<Index, Index> chunk(std::uint64_t begin,
                                                 std::uint64_t count) const noexcept {
        return {at(begin), at(begin + count)};
    }

private:
    index_items(Index first, Index last) noexcept
        : first_(first),
          size_(static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first)) {}

    Index first_;
    std::uint64_t size_;
};

/// Elements of a random-access range by their offset. Its cursor is the range's iterator.
template <class Iterator>
class range_items {
public:
    range_items(Iterator first, std::uint64_t size) : first_(std::move(first)), size_(size) {}
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    [[nodiscard]] Iterator at(std::uint64_t offset) const {
        return first_ + static_cast<std::iter_difference_t<Iterator>>(offset);
    }
    static decltype(auto) item(const Iterator& cursor) { return *cursor; }
    [[nodiscard]] std::tuple<std::ranges::subrange<Iterator>> chunk(std::uint64_t begin,
                                                                    std::uint64_t count) const {
        return std::ranges::subrange<Iterator>(at(begin), at(begin + count));
    }

private:
    Iterator first_;
    std::uint64_t size_;
};

template <class Index>
index_items<Index> items_of(index_items<Index>& source) noexcept {
    return source;
}
/// Asks the view once for its beginning: that may write to the view.
template <std::ranges::view View>
range_items<std::ranges::iterator_t<View>> items_of(View& source) {
    return {std::ranges::begin(source), static_cast<std::uint64_t>(std::ranges::size(source))};
}

template <class First, class Last>
using index_source = index_items<std::common_type_t<First, Last>>;
template <class Source>
using items_type = decltype(items_of(std::declval<Source&>()));

/// Whether a callable gets the items one by one or as chunks.
enum class call_form : unsigned char { item, chunk };

template <class Items, class Callable>
using item_result = std::invoke_result_t<const Callable&,
                                         decltype(Items::item(std::declval<const Items&>().at(0)))>;
template <class Callable, class... Arguments>
std::invoke_result_t<const Callable&, const Arguments&...> call_with_chunk(
    const Callable& callable, const std::tuple<Arguments...>& chunk);
template <class Items, class Callable>
using chunk_result = decltype(call_with_chunk(std::declval<const Callable&>(),
                                              std::declval<const Items&>().chunk(0, 0)));

/// What the callable, called as const, gives for an item or a chunk; nothing if it takes none.
template <call_form Form, class Source, class Callable>
struct call_result {};
template <class Source, class Callable>
    requires requires { typename item_result<items_type<Source>, Callable>; }
struct call_result<call_form::item, Source, Callable> {
    using type = item_result<items_type<Source>, Callable>;
};
template <class Source, class Callable>
    requires requires { typename chunk_result<items_type<Source>, Callable>; }
struct call_result<call_form::chunk, Source, Callable> {
    using type = chunk_result<items_type<Source>, Callable>;
};
template <call_form Form, class Source, class Callable>
using call_result_t = typename call_result<Form, Source, Callable>::type;

template <class T>
inline constexpr bool is_coro = false;
template <class T>
inline constexpr bool is_coro<coro<T>> = true;

/// The value of a call: of the coroutine, if it gives one.
template <class T>
struct awaited_value {
    using type = T;
};
template <class T>
struct awaited_value<coro<T>> {
    using type = T;
};

/// What the chunks of one call share, whatever they do. Constructed on a worker.
class split_range {
public:
    split_range(std::uint64_t items, parallel_options options) noexcept
        : grain_(options.grain != 0 ? options.grain : chosen_grain(items)) {}

    /// Whether both halves of so many items are worth a child.
    [[nodiscard]] bool splits(std::uint64_t items) const noexcept { return items / 2 >= grain_; }
    /// Whether nothing further is to begin.
    [[nodiscard]] bool stopped() const noexcept {
        return stopped_.load(std::memory_order_relaxed);  // no edge: R1 needs none
    }
    /// A chunk ended with `error`: whether it is to be thrown. Cancellations all are: a join puts
    /// an error before them.
    [[nodiscard]] bool must_throw(const std::exception_ptr& error) noexcept {
        stopped_.store(true, std::memory_order_relaxed);  // no edge: R1 needs none
        if (is_cancellation(error)) return true;
        return !failed_.exchange(true, std::memory_order_relaxed);  // no edge: a claim
    }

private:
    static std::uint64_t chosen_grain(std::uint64_t items) noexcept {
        const std::uint64_t chunks = 32ull * this_worker()->runtime().worker_count();
        return std::max<std::uint64_t>(items / chunks + (items % chunks != 0 ? 1 : 0), 1);
    }

    const std::uint64_t grain_;
    real_environment::atomic<bool> stopped_{false};
    real_environment::atomic<bool> failed_{false};
};

/// The same with the items, and what is called with them.
template <call_form Form, class Source, class Callable>
class split_calls : public split_range {
public:
    using items_type = detail::items_type<Source>;
    static constexpr call_form form = Form;
    static constexpr bool awaits = is_coro<call_result_t<Form, Source, Callable>>;

    /// `callable` outlives it, and so does the source of the items.
    split_calls(items_type items, const Callable& callable, parallel_options options)
        : split_range(items.size(), options), items_(std::move(items)), callable_(callable) {}

    [[nodiscard]] const items_type& items() const noexcept { return items_; }
    [[nodiscard]] const Callable& callable() const noexcept { return callable_; }

private:
    const items_type items_;
    const Callable& callable_;
};

}  // namespace detail

}  // namespace weft
