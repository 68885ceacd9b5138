// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "check.hpp"

#include <csignal>
#include <cstdlib>

namespace weft::model {
namespace {

/// While it lives, a failed WEFT_CHECK, std::terminate or a wild pointer in the code under test is
/// the failure of an execution instead of the end of the process.
class fatal_signal_guard {
public:
    fatal_signal_guard() {
        struct sigaction action{};
        action.sa_handler = &fatal_signal_guard::handle;
        action.sa_flags = SA_NODEFER;  // the handler leaves by a change of stack
        for (std::size_t i = 0; i < signals.size(); ++i)
            sigaction(signals[i], &action, &before_[i]);
        allocation_watch::on_double_free = [](void*) {
            if (execution::current != nullptr) execution::current->fail("double free");
        };
    }
    ~fatal_signal_guard() {
        for (std::size_t i = 0; i < signals.size(); ++i)
            sigaction(signals[i], &before_[i], nullptr);
        allocation_watch::on_double_free = nullptr;
    }
    fatal_signal_guard(const fatal_signal_guard&) = delete;
    fatal_signal_guard& operator=(const fatal_signal_guard&) = delete;

private:
    static void handle(int number) {
        if (execution::current != nullptr) {
            execution::current->fail(number == SIGABRT ? "aborted: a check failed"
                                                       : "crashed: a wild pointer");
        }
        std::signal(number, SIG_DFL);
        std::raise(number);
    }

#if defined(WEFT_MODEL_ASAN) || defined(WEFT_MODEL_TSAN)
    inline static constexpr std::array<int, 1> signals{SIGABRT};  // the sanitizer wants the rest
#else
    inline static constexpr std::array<int, 3> signals{SIGABRT, SIGSEGV, SIGBUS};
#endif
    std::array<struct sigaction, signals.size()> before_{};
};

double budget_factor() {
    const char* text = std::getenv("WEFT_MODEL_BUDGET");
    double factor = text == nullptr ? 1.0 : std::strtod(text, nullptr);
    return factor > 0 ? factor : 1.0;
}

}  // namespace

result replay(const options& limits, std::string_view choice_string, const scenario_body& body) {
    fatal_signal_guard guard;
    auto run = std::make_unique<execution>(limits);
    std::function<void()> once = [&] {
        scenario s(*run);
        body(s);
    };
    choice_source choices;
    choices.start_replay(choice_string);
    result outcome;
    outcome.executions = 1;
    outcome.failed = !run->run(choices, true, once);
    outcome.message = run->message();
    if (choices.has_diverged()) outcome.message += " (the choices do not fit this body)";
    outcome.choice_string = choice_string;
    outcome.trace = run->trace();
    return outcome;
}

result check(const options& limits, const scenario_body& body) {
    fatal_signal_guard guard;
    auto run = std::make_unique<execution>(limits);
    std::function<void()> once = [&] {
        scenario s(*run);
        body(s);
    };
    auto scaled = [](std::size_t count) {
        return static_cast<std::size_t>(static_cast<double>(count) * budget_factor());
    };
    result outcome;
    choice_source choices;
    auto attempt = [&] {
        ++outcome.executions;
        if (run->run(choices, false, once)) return true;
        std::size_t executions = outcome.executions;
        outcome = replay(limits, choices.text(), body);
        outcome.executions = executions;
        if (outcome.message != run->message()) {
            outcome.message = run->message() + " (replay differs: " + outcome.message + ")";
        }
        outcome.failed = true;
        return false;
    };
    for (std::size_t i = 0; i < scaled(limits.random_executions); ++i) {
        choices.start_random(limits.seed + i);
        if (!attempt()) return outcome;
    }
    choices.start_depth_first();
    for (std::size_t i = 0; i < scaled(limits.exhaustive_executions); ++i) {
        if (!attempt()) return outcome;
        if (choices.next_depth_first()) continue;
        outcome.complete = true;
        break;
    }
    return outcome;
}

}  // namespace weft::model
