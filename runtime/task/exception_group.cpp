// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/exception_group.hpp"

#include <algorithm>

#include "task/failure_sink.hpp"

namespace weft {

namespace {

using errors = std::vector<std::exception_ptr>;

/// The group that `error` is, kept by it, or null.
const exception_group* as_group(const std::exception_ptr& error) {
    const exception_group* found = nullptr;
    detail::visit_as<exception_group>(error, [&](const exception_group& g) { found = &g; });
    return found;
}

void add_leaves(const errors& all, errors& leaves) {
    for (const std::exception_ptr& error : all) {
        if (const exception_group* nested = as_group(error))
            add_leaves(nested->exceptions(), leaves);
        else
            leaves.push_back(error);
    }
}

std::string described(std::string_view message, const errors& all) {
    if (all.empty() || std::ranges::find(all, nullptr) != all.end()) {
        throw std::invalid_argument("weft: an exception_group needs errors, none of them null");
    }
    constexpr std::size_t told = 4;  // each costs a rethrow
    errors leaves;
    add_leaves(all, leaves);
    std::string text{message};
    text += " (" + std::to_string(leaves.size()) + (leaves.size() == 1 ? " error: " : " errors: ");
    for (std::size_t i = 0; i < std::min(leaves.size(), told); ++i) {
        text += (i == 0 ? "" : "; ") + detail::describe(leaves[i]);
    }
    return text + (leaves.size() > told ? "; ...)" : ")");
}

std::optional<exception_group> group_of(const exception_group& origin, errors some) {
    if (some.empty()) return std::nullopt;
    return exception_group{origin.message(), std::move(some)};
}

}  // namespace

exception_group::exception_group(std::string_view message, errors given)
    : std::runtime_error(described(message, given)),
      state_(std::make_shared<contents>(std::string{message}, std::move(given))) {}

errors exception_group::flattened() const {
    errors leaves;
    add_leaves(exceptions(), leaves);
    return leaves;
}

exception_group_parts exception_group::split(const predicate& matches) const {
    errors matched;
    errors rest;
    for (const std::exception_ptr& error : exceptions()) {
        const exception_group* nested = as_group(error);
        if (nested == nullptr) {
            (matches(error) ? matched : rest).push_back(error);
            continue;
        }
        exception_group_parts parts = nested->split(matches);
        if (parts.matched) matched.push_back(std::make_exception_ptr(*parts.matched));
        if (parts.rest) rest.push_back(std::make_exception_ptr(*parts.rest));
    }
    return {group_of(*this, std::move(matched)), group_of(*this, std::move(rest))};
}

std::optional<exception_group> exception_group::subgroup(const predicate& matches) const {
    return split(matches).matched;
}

}  // namespace weft
