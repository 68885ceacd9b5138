// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// How a coroutine ended, as text, for tests of task groups.
#pragma once

#include <string>
#include <utility>

#include "support/runtime_case.hpp"

namespace weft::test {

/// What an exception says; the errors of an exception_group in brackets.
[[nodiscard]] inline std::string errors_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const exception_group& group) {
        std::string all = "[";
        for (const std::exception_ptr& each : group.exceptions()) {
            all += (all.size() > 1 ? ", " : "") + errors_of(each);
        }
        return all + "]";
    } catch (...) {
        return text_of(error);
    }
}

/// "value", "cancelled", or errors_of() what it threw.
template <class T>
coro<std::string> outcome(coro<T> of) {
    std::exception_ptr error;
    try {
        co_await std::move(of);
    } catch (...) {
        error = std::current_exception();
    }
    co_return error ? errors_of(error) : "value";
}

}  // namespace weft::test
