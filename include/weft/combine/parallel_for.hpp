// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// parallel_for: a loop whose iterations may run on every worker, as children of nested when_alls.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>

#include "weft/base/lifetime.hpp"
#include "weft/combine/split_range.hpp"
#include "weft/combine/when_all.hpp"

namespace weft {

namespace detail {

template <call_form Form, class Source, class Body>
[[nodiscard]] coro<> for_all(Source source, Body body, parallel_options options);

}  // namespace detail

/// Calls `body(i)` once for every i of [first, last) and waits for all. `body` returns nothing, or
/// a coro<>, which is awaited before the next item of the same chunk. Both ends are integers of at
/// most 64 bits; i has their common type. The items of a chunk come in ascending order on one
/// worker, unless the body suspends; chunks run in any order and on any workers. `body` is moved
/// into the call and lives to its end; it is called as const and by several threads at once.
///
/// Completes when every item is done, at once for an empty range. Memory: two coroutines per level
/// of cuts on each worker, nothing per item but the coroutine that an awaited body is; beyond that
/// each chunk whose body has suspended keeps its own, and the worker begins another chunk
/// meanwhile: all of the chunks may be under way at once, so their number, which the grain decides,
/// bounds memory and concurrency. Throws at the call: std::invalid_argument if first > last, or if
/// an end does not fit the common type (as -1 beside an unsigned one); std::bad_alloc then or
/// later.
///
/// The first exception of a body lets no further chunk begin, cancels the bodies that are
/// suspended, and is thrown once all have ended; later ones are dropped. It wins over a
/// cancellation. Cancelling the task is heard between two chunks and where a body suspends, and
/// throws `cancelled` once all have ended; a range of one chunk whose body never suspends runs to
/// its end. A worker may run 1024 chunks in a row before it looks at its other tasks, unless a body
/// suspends; workers that are idle take those.
template <detail::index_type First, detail::index_type Last, class Body>
[[nodiscard]] coro<> parallel_for(First first, Last last, Body body,
                                  parallel_options options = {}) {
    return detail::for_all<detail::call_form::item>(
        detail::index_source<First, Last>::between(first, last), std::move(body), options);
}

/// The same for every element of a random-access range: `body(element)`, with what the range's
/// iterators give (for a vector a reference). An lvalue that is no view must outlive the call; a
/// view is copied and an rvalue container moved into it.
template <std::ranges::random_access_range Range, class Body>
    requires std::ranges::sized_range<Range>
WEFT_OWNS_ARGUMENTS [[nodiscard]] coro<> parallel_for(Range&& range, Body body,
                                                      parallel_options options = {}) {
    return detail::for_all<detail::call_form::item>(std::views::all(std::forward<Range>(range)),
                                                    std::move(body), options);
}

/// The same with a whole chunk a call: `body(begin, end)` for the indices [begin, end), at least
/// one. For inner loops that the compiler can vectorise, and for scratch space per chunk.
template <detail::index_type First, detail::index_type Last, class Body>
[[nodiscard]] coro<> parallel_for_chunks(First first, Last last, Body body,
                                         parallel_options options = {}) {
    return detail::for_all<detail::call_form::chunk>(
        detail::index_source<First, Last>::between(first, last), std::move(body), options);
}

/// The same for a range: `body(chunk)` with a std::ranges::subrange of it, which converts to a
/// std::span if the range is contiguous.
template <std::ranges::random_access_range Range, class Body>
    requires std::ranges::sized_range<Range>
WEFT_OWNS_ARGUMENTS [[nodiscard]] coro<> parallel_for_chunks(Range&& range, Body body,
                                                             parallel_options options = {}) {
    return detail::for_all<detail::call_form::chunk>(std::views::all(std::forward<Range>(range)),
                                                     std::move(body), options);
}

// ---------------------------------------------------------------------------------------------

namespace detail {

/// A chunk whose body does not await: outside of a coroutine, where loops are compiled best.
template <class Loop>
void run_chunk(Loop& loop, std::uint64_t begin, std::uint64_t count) {
    const auto& items = loop.items();
    try {
        if constexpr (Loop::form == call_form::chunk) {
            const auto chunk = items.chunk(begin, count);
            std::apply(loop.callable(), chunk);
        } else {
            const auto last = items.at(begin + count);
            for (auto i = items.at(begin); i != last; ++i)
                std::invoke(loop.callable(), items.item(i));
        }
    } catch (...) {
        if (loop.must_throw(std::current_exception())) throw;
    }
}

template <class Loop>
coro<> await_chunk(Loop& loop, std::uint64_t begin, std::uint64_t count) {
    const auto& items = loop.items();
    try {
        if constexpr (Loop::form == call_form::chunk) {
            const auto chunk = items.chunk(begin, count);
            co_await std::apply(loop.callable(), chunk);
        } else {
            const auto last = items.at(begin + count);
            for (auto i = items.at(begin); i != last; ++i)
                co_await std::invoke(loop.callable(), items.item(i));
        }
    } catch (...) {
        if (loop.must_throw(std::current_exception())) throw;
    }
}

template <class Loop>
coro<> for_part(Loop& loop, std::uint64_t begin, std::uint64_t count) {
    if (loop.stopped()) co_return;
    if (loop.splits(count)) {
        const std::uint64_t half = count / 2;
        co_await when_all(for_part(loop, begin, half), for_part(loop, begin + half, count - half));
    } else if constexpr (Loop::awaits) {
        co_await await_chunk(loop, begin, count);
    } else {
        run_chunk(loop, begin, count);
    }
}

template <call_form Form, class Source, class Body>
coro<> for_all(Source source, Body body, parallel_options options) {
    static_assert(
        requires { typename call_result_t<Form, Source, Body>; },
        "the body of a parallel_for takes an item, or a chunk, and is called as const");
    using result = call_result_t<Form, Source, Body>;
    static_assert(std::is_void_v<result> || std::is_same_v<result, coro<>>,
                  "the body of a parallel_for returns nothing or a coro<>");
    split_calls<Form, Source, Body> loop{items_of(source), body, options};
    const std::uint64_t size = loop.items().size();
    if (size != 0) co_await for_part(loop, 0, size);
}

}  // namespace detail

}  // namespace weft
