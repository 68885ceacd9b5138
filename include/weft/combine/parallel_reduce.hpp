// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// parallel_reduce: maps every item of a range to a value and combines the values in their order.
#pragma once

#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>

#include "weft/base/lifetime.hpp"
#include "weft/combine/split_range.hpp"
#include "weft/combine/when_all.hpp"

namespace weft {

namespace detail {

/// The type of a reduction: what the identity and the mapped values have in common.
template <call_form Form, class Source, class Identity, class Map>
using reduced =
    std::common_type_t<Identity, typename awaited_value<call_result_t<Form, Source, Map>>::type>;

template <call_form Form, class Source, class Identity, class Map, class Combine>
[[nodiscard]] coro<reduced<Form, Source, Identity, Map>> reduce_all(Source source,
                                                                    Identity identity, Map map,
                                                                    Combine combine,
                                                                    parallel_options options);

}  // namespace detail

/// Gives combine(identity, combine(map(first), ... map(last - 1))), the values in ascending order
/// and grouped as below; `identity` alone for an empty range. So `combine` must be associative, but
/// need not be commutative, and `identity` may also be what the sum begins with. `map` returns a
/// value, or a coro of one, which is awaited; `combine` takes two values, moved, and does not
/// await. The result has the common type T of `identity` and the mapped values: T is movable, never
/// copied, and aligned to 16 bytes at most. `identity`, `map` and `combine` are moved into the call
/// and live to its end; the two callables are called as const and by several threads at once.
///
/// Grouping: a chunk is combined from left to right; then two halves are combined wherever the
/// range was cut in two, which is after the first half of its items, rounded down; at last
/// `identity` and the whole. parallel_options::grain says what is cut. So with a grain given, the
/// same items give the same result, to the last bit of a floating-point sum, on every run and any
/// number of workers; with grain 0, on every run with as many workers.
///
/// Indices, allocation, errors (those of `combine` included), cancellation and fairness are
/// parallel_for's.
template <detail::index_type First, detail::index_type Last, class Identity, class Map,
          class Combine>
[[nodiscard]] auto parallel_reduce(First first, Last last, Identity identity, Map map,
                                   Combine combine, parallel_options options = {})
    -> coro<detail::reduced<detail::call_form::item, detail::index_source<First, Last>, Identity,
                            Map>> {
    return detail::reduce_all<detail::call_form::item>(
        detail::index_source<First, Last>::between(first, last), std::move(identity),
        std::move(map), std::move(combine), options);
}

/// The same for the elements of a random-access range, which is taken as parallel_for does.
template <std::ranges::random_access_range Range, class Identity, class Map, class Combine>
    requires std::ranges::sized_range<Range>
WEFT_OWNS_ARGUMENTS [[nodiscard]] auto parallel_reduce(Range&& range, Identity identity, Map map,
                                                       Combine combine,
                                                       parallel_options options = {})
    -> coro<detail::reduced<detail::call_form::item, std::views::all_t<Range>, Identity, Map>> {
    return detail::reduce_all<detail::call_form::item>(std::views::all(std::forward<Range>(range)),
                                                       std::move(identity), std::move(map),
                                                       std::move(combine), options);
}

/// The same with a whole chunk a call: `map(begin, end)` gives the value of the indices [begin,
/// end), at least one.
template <detail::index_type First, detail::index_type Last, class Identity, class Map,
          class Combine>
[[nodiscard]] auto parallel_reduce_chunks(First first, Last last, Identity identity, Map map,
                                          Combine combine, parallel_options options = {})
    -> coro<detail::reduced<detail::call_form::chunk, detail::index_source<First, Last>, Identity,
                            Map>> {
    return detail::reduce_all<detail::call_form::chunk>(
        detail::index_source<First, Last>::between(first, last), std::move(identity),
        std::move(map), std::move(combine), options);
}

/// The same for a range: `map(chunk)` gives the value of a std::ranges::subrange of it.
template <std::ranges::random_access_range Range, class Identity, class Map, class Combine>
    requires std::ranges::sized_range<Range>
WEFT_OWNS_ARGUMENTS [[nodiscard]] auto parallel_reduce_chunks(Range&& range, Identity identity,
                                                              Map map, Combine combine,
                                                              parallel_options options = {})
    -> coro<detail::reduced<detail::call_form::chunk, std::views::all_t<Range>, Identity, Map>> {
    return detail::reduce_all<detail::call_form::chunk>(std::views::all(std::forward<Range>(range)),
                                                        std::move(identity), std::move(map),
                                                        std::move(combine), options);
}

// ---------------------------------------------------------------------------------------------

namespace detail {

template <call_form Form, class Source, class T, class Map, class Combine>
class split_reduction : public split_calls<Form, Source, Map> {
public:
    using items_type = detail::items_type<Source>;
    using value_type = T;

    split_reduction(items_type items, const Map& map, const Combine& combine,
                    parallel_options options)
        : split_calls<Form, Source, Map>(std::move(items), map, options), combine_(combine) {}

    [[nodiscard]] T combined(T&& left, T&& right) const {
        return static_cast<T>(std::invoke(combine_, std::move(left), std::move(right)));
    }
    void append(T& sum, T&& right) const {
        T next = combined(std::move(sum), std::move(right));  // may be a reference to an operand
        sum = std::move(next);
    }
    /// Nothing if there is an error that will be thrown instead.
    [[nodiscard]] std::optional<T> joined(std::optional<T>& left, std::optional<T>& right) {
        if (!left || !right) return std::nullopt;
        try {
            return combined(std::move(*left), std::move(*right));
        } catch (...) {
            if (this->must_throw(std::current_exception())) throw;
        }
        return std::nullopt;
    }
    /// A chunk whose map does not await.
    [[nodiscard]] std::optional<T> run(std::uint64_t begin, std::uint64_t count) {
        try {
            return folded(begin, count);
        } catch (...) {
            if (this->must_throw(std::current_exception())) throw;
        }
        return std::nullopt;
    }

private:
    [[nodiscard]] T folded(std::uint64_t begin, std::uint64_t count) const {
        const auto& items = this->items();
        if constexpr (Form == call_form::chunk) {
            const auto chunk = items.chunk(begin, count);
            return static_cast<T>(std::apply(this->callable(), chunk));
        } else {
            auto i = items.at(begin);
            const auto last = items.at(begin + count);
            T sum = static_cast<T>(std::invoke(this->callable(), items.item(i)));
            while (++i != last)
                append(sum, static_cast<T>(std::invoke(this->callable(), items.item(i))));
            return sum;
        }
    }

    const Combine& combine_;
};

template <class Reduction>
coro<std::optional<typename Reduction::value_type>> await_values(Reduction& reduction,
                                                                 std::uint64_t begin,
                                                                 std::uint64_t count) {
    using value = typename Reduction::value_type;
    const auto& items = reduction.items();
    std::optional<value> sum;
    try {
        if constexpr (Reduction::form == call_form::chunk) {
            const auto chunk = items.chunk(begin, count);
            auto mapped = co_await std::apply(reduction.callable(), chunk);
            sum.emplace(static_cast<value>(std::move(mapped)));
        } else {
            auto i = items.at(begin);
            const auto last = items.at(begin + count);
            auto first = co_await std::invoke(reduction.callable(), items.item(i));
            sum.emplace(static_cast<value>(std::move(first)));
            while (++i != last) {
                auto mapped = co_await std::invoke(reduction.callable(), items.item(i));
                reduction.append(*sum, static_cast<value>(std::move(mapped)));
            }
        }
    } catch (...) {
        sum.reset();
        if (reduction.must_throw(std::current_exception())) throw;
    }
    co_return std::move(sum);
}

template <class Reduction>
coro<std::optional<typename Reduction::value_type>> reduce_part(Reduction& reduction,
                                                                std::uint64_t begin,
                                                                std::uint64_t count) {
    if (reduction.stopped()) co_return std::nullopt;
    if (reduction.splits(count)) {
        const std::uint64_t half = count / 2;
        auto [left, right] = co_await when_all(reduce_part(reduction, begin, half),
                                               reduce_part(reduction, begin + half, count - half));
        co_return reduction.joined(left, right);
    } else if constexpr (Reduction::awaits) {
        auto sum = co_await await_values(reduction, begin, count);
        co_return std::move(sum);
    } else {
        co_return reduction.run(begin, count);
    }
}

template <call_form Form, class Source, class Identity, class Map, class Combine>
coro<reduced<Form, Source, Identity, Map>> reduce_all(Source source, Identity identity, Map map,
                                                      Combine combine, parallel_options options) {
    using value = reduced<Form, Source, Identity, Map>;
    static_assert(std::movable<value>, "parallel_reduce moves the values that it combines");
    static_assert(std::is_invocable_r_v<value, const Combine&, value, value>,
                  "combine takes two values and returns one; it is called as const");
    split_reduction<Form, Source, value, Map, Combine> reduction{items_of(source), map, combine,
                                                                 options};
    const std::uint64_t size = reduction.items().size();
    if (size == 0) co_return static_cast<value>(std::move(identity));
    auto sum = co_await reduce_part(reduction, 0, size);
    WEFT_CHECK(sum, "a reduction ended without a value and without an error");
    co_return reduction.combined(static_cast<value>(std::move(identity)), std::move(*sum));
}

}  // namespace detail

}  // namespace weft
