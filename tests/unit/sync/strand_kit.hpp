// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What the tests of strands share.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

namespace weft::test {

using lines = std::vector<std::string>;

/// Ends once everything that was queued on `s` before has run.
inline coro<> drained(strand s) {
    co_await s.run([] {});
}

inline coro<> log_around(event_log* log, gate* g, std::string name) {
    log->add(name + " begins");
    co_await *g;
    log->add(name + " ends");
}

/// Lets everything else run until nothing but timers could.
inline coro<> settle() {
    for (int i = 0; i < 50; ++i) co_await yield();
}

template <class T>
coro<T> value_of(T value) {
    co_await yield();
    co_return value;
}

}  // namespace weft::test
