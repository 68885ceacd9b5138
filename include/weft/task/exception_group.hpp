// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Several errors in one exception: what a task_group throws. C++ has no `except*`; what takes its
// place is `for_each` to look at the errors of one type and `split` to go on with the others.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

struct exception_group_parts;

/// Errors that belong together, in the order in which they happened. Groups nest: an error may be
/// an exception_group itself, and its *leaves* are the errors that are none. Copies share the
/// errors.
///
///     } catch (const exception_group& group) {
///         auto [bad_input, rest] = group.split<std::invalid_argument>();
///         if (bad_input) bad_input->for_each<std::invalid_argument>(complain);
///         if (rest) throw *rest;
///     }
class exception_group : public std::runtime_error {
public:
    /// Throws std::invalid_argument if there are no errors or one is null.
    exception_group(std::string_view message, std::vector<std::exception_ptr> errors);

    /// The message without what what() adds to it: how many leaves, and what the first ones say.
    [[nodiscard]] std::string_view message() const noexcept { return state_->message; }
    /// As they were given.
    [[nodiscard]] const std::vector<std::exception_ptr>& exceptions() const noexcept {
        return state_->errors;
    }
    /// The leaves, in order.
    [[nodiscard]] std::vector<std::exception_ptr> flattened() const;

    /// Calls `f(e)` for each leaf that is an E, in order; returns how many there were. What `f`
    /// throws ends the walk.
    template <class E, class F>
    std::size_t for_each(F&& f) const;
    /// Whether a leaf is an E.
    template <class E>
    [[nodiscard]] bool contains() const {
        return for_each<E>([](const E&) {}) != 0;
    }

    using predicate = std::function<bool(const std::exception_ptr&)>;
    /// The leaves for which `matches` says yes, and the others: each with the groups that they were
    /// in, under the same messages.
    [[nodiscard]] exception_group_parts split(const predicate& matches) const;
    /// The leaves that are an E, and the others.
    template <class E>
    [[nodiscard]] exception_group_parts split() const;
    /// The first half of split().
    [[nodiscard]] std::optional<exception_group> subgroup(const predicate& matches) const;
    template <class E>
    [[nodiscard]] std::optional<exception_group> subgroup() const;

private:
    struct contents {
        std::string message;
        std::vector<std::exception_ptr> errors;
    };
    std::shared_ptr<const contents> state_;
};

/// What a split gives: a part without a leaf is no group.
struct exception_group_parts {
    std::optional<exception_group> matched;
    std::optional<exception_group> rest;
};

// ---------------------------------------------------------------------------------------------

namespace detail {

/// Whether `error` is an E; then `f` was called with it.
template <class E, class F>
bool visit_as(const std::exception_ptr& error, F&& f) {
    const E* found = nullptr;
    try {
        std::rethrow_exception(error);
    } catch (const E& e) {
        found = &e;  // `error` keeps it
    } catch (...) {
        return false;
    }
    f(*found);
    return true;
}

}  // namespace detail

template <class E, class F>
std::size_t exception_group::for_each(F&& f) const {
    std::size_t count = 0;
    for (const std::exception_ptr& leaf : flattened()) {
        if (detail::visit_as<E>(leaf, f)) ++count;
    }
    return count;
}

template <class E>
exception_group_parts exception_group::split() const {
    return split(
        [](const std::exception_ptr& leaf) { return detail::visit_as<E>(leaf, [](const E&) {}); });
}

template <class E>
std::optional<exception_group> exception_group::subgroup() const {
    return split<E>().matched;
}

}  // namespace weft
