// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// For tests of task groups: how a coroutine ended, as text, and children that end so.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>

#include "support/runtime_case.hpp"
#include "support/runtime_gate.hpp"
#include "weft/time/sleep.hpp"

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

// Children of a group.

inline coro<> fails_after(std::chrono::nanoseconds delay, const char* text) {
    co_await sleep(delay);
    throw std::domain_error(text);
}

inline coro<> fails_at(gate& g, const char* text) {
    co_await g;
    throw std::domain_error(text);
}

/// Says how its sleep ended.
inline coro<> sleeps(event_log& log, const char* name) {
    try {
        co_await sleep(far);
        log.add(std::string{name} + " slept");
    } catch (const cancelled&) {
        log.add(std::string{name} + " cancelled");
        throw;
    }
}

}  // namespace weft::test
