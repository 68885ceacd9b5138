// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The face of the model checker.
//
//     auto result = model::check({.preemptions = 3}, [](model::scenario& s) {
//         work_deque<model_environment, item> deque;
//         s.thread("owner", [&] { ... });
//         s.thread("thief", [&] { ... });
//         s.finally([&] { model::require(..., "no item is taken twice"); });
//     });
//     INFO(result.report());
//     CHECK(result);
//
// The body runs once per execution and must depend on nothing but the answers that the checker
// gives: no real clock, no random numbers, no addresses. Threads start at finally() (or join()),
// which returns when all of them have ended; the body's own locals outlive them.
#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "environment.hpp"
#include "execution.hpp"
#include "options.hpp"

namespace weft::model {

class scenario {
public:
    explicit scenario(execution& run) noexcept : run_(run) {}

    /// At most seven in all.
    void thread(std::string_view name, std::move_only_function<void()> body) {
        run_.add_thread(name, std::move(body));
    }
    /// Runs the threads added so far to their end; what they did happens before the return.
    void join() { run_.join_threads(); }
    template <class Function>
    void finally(Function check_end) {
        join();
        check_end();
    }
    /// How addresses inside `object` appear in traces.
    template <class T>
    void name(const T& object, std::string_view text) {
        run_.set_name(&object, sizeof object, text);
    }
    /// A number below `count`: every one is tried.
    [[nodiscard]] std::size_t choose(std::size_t count) { return run_.choose(count); }

private:
    execution& run_;
};

using scenario_body = std::function<void(scenario&)>;

/// Looks for a failing execution: seeded random ones first, then depth-first within the bounds.
[[nodiscard]] result check(const options& limits, const scenario_body& body);
/// Runs the one execution that `choice_string` describes and returns its trace.
[[nodiscard]] result replay(const options& limits, std::string_view choice_string,
                            const scenario_body& body);

/// Ends the execution as failed unless `condition` holds; from any modelled thread.
inline void require(bool condition, std::string_view sentence) {
    if (!condition) running().fail(sentence);
}

}  // namespace weft::model
