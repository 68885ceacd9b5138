// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Coroutines to be dropped, coroutines that were given others, and what is told of all that.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_gate.hpp"
#include "weft/weft.hpp"

namespace weft::test {

inline constexpr unsigned line_of_forgotten = __LINE__ + 1;
inline coro<int> forgotten(int value) { co_return value; }

/// Takes a coroutine and awaits it once the gate is open.
inline coro<int> after(gate& g, coro<int> body) {
    co_await g;
    co_return co_await std::move(body);
}
inline coro<int> after_one_turn(coro<int> body) {
    co_await yield();
    co_return co_await std::move(body);
}
inline coro<> sleeps_before(coro<int> body) {
    co_await sleep(far);
    static_cast<void>(co_await std::move(body));
}
inline coro<int> fails_before(coro<int> body) {
    co_await yield();
    if (body.valid()) throw std::runtime_error("early");
    co_return co_await std::move(body);
}
inline coro<> ends_before(coro<int> body) {
    co_await yield();
    static_cast<void>(body.valid());
}
inline int throws() { throw std::runtime_error("argument"); }

/// What is told while `body` runs on its own runtime, and until that is closed.
inline std::vector<failure> told_by(unsigned workers, coro<> body) {
    failure_log log;
    {
        runtime r{{.workers = workers}};
        log.attach(r);
        r.block_on(std::move(body));
    }
    return log.all();
}

/// The messages, for a look at what is wrong.
inline std::string text_of_all(const std::vector<failure>& reports) {
    std::string text;
    for (const failure& each : reports) text += each.message + "\n";
    return text;
}

inline void check_silence(unsigned workers, coro<> (*body)()) {
    const std::vector<failure> reports = told_by(workers, body());
    INFO(text_of_all(reports));
    CHECK(reports.empty());
}

}  // namespace weft::test
