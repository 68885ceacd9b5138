// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// interpreter.py for weft: runs the programs that come in on standard input, each on one worker
// that is driven turn by turn in virtual time, and prints what happened, and a point after each.
#include <algorithm>
#include <chrono>
#include <exception>
#include <iostream>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

#include "ports/this_worker.hpp"
#include "sched/runtime_core.hpp"
#include "task/failure_sink.hpp"

namespace {

using milliseconds = std::chrono::milliseconds;

struct failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A word, or what stands in parentheses: a statement, or the statements of a block.
struct part {
    std::string word;
    std::vector<part> parts;

    [[nodiscard]] int number() const { return std::stoi(word); }
    const part& operator[](std::size_t i) const { return parts.at(i); }
};

/// False for a parenthesis that closes.
bool read(std::istream& in, part& into) {
    in >> into.word;
    if (into.word != "(") return into.word != ")";
    for (part p; read(in, p); p = {}) into.parts.push_back(std::move(p));
    return true;
}

std::string shown(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const weft::cancelled&) {
        return "cancelled";
    } catch (const weft::timeout_error&) {
        return "timeout";
    } catch (const std::exception& e) {
        return e.what();
    }
}

std::string state(const weft::any_task& task) {
    if (!task.done()) return "pending";
    if (task.cancelled()) return "cancelled";
    const std::exception_ptr error = task.exception();
    return error ? shown(error) : "value";
}

weft::detail::time_point now{};

/// A runtime without threads: time passes where nothing is ready.
class driven_runtime {
public:
    driven_runtime() {
        core_.failures()->set_handler([](const auto&) {});  // a failure may be nobody's business
        weft::detail::set_this_worker(&worker());
    }
    driven_runtime(const driven_runtime&) = delete;
    driven_runtime& operator=(const driven_runtime&) = delete;
    ~driven_runtime() { weft::detail::set_this_worker(nullptr); }

    weft::task<int> start(weft::coro<int> body) {
        auto task = weft::detail::start_task(body, {}, &worker(), core_, &worker());
        worker().submit_back(*weft::detail::task_access::state(task));
        return task;
    }
    /// Until nothing is ready and no timer left, and `at_rest` has nothing to do either.
    template <class AtRest>
    void run(AtRest at_rest) {
        for (;;) {
            while (!worker().has_work() && !core_.injected.maybe_nonempty()) {
                const weft::detail::time_point due = worker().timers().next_deadline();
                if (due != weft::detail::time_point::max()) {
                    now = std::max(now, due);
                    worker().drive(worker().trace, worker().counts);
                } else if (!at_rest()) {
                    return;
                }
            }
            static_cast<void>(worker().step());
        }
    }

private:
    [[nodiscard]] weft::detail::worker& worker() { return *core_.workers()[0]; }

    weft::detail::runtime_core core_{{.workers = 1,
                                      .idle_spin = std::chrono::nanoseconds::zero(),
                                      .slow_run = std::chrono::nanoseconds::zero()}};
};

/// What a `return` in a block gives.
using returned = std::optional<int>;

class interpreter {
public:
    void run(const part& program) {
        driven_runtime runtime;
        tasks_.emplace(0, runtime.start(body(0, program)));
        runtime.run([this] { return set_futures(); });
        for (const auto& [number, task] : tasks_) std::cout << number << ' ' << state(task) << '\n';
        std::cout << '.' << std::endl;
    }

private:
    bool set_futures() {
        bool any = false;
        for (const auto& [number, promise] : promises_) any |= promise.try_set_result(0);
        return any;
    }
    template <class T>
    void note(int task, const std::string& label, const T& what) {
        const auto at = std::chrono::duration_cast<milliseconds>(now - begin_).count();
        std::cout << at << ' ' << task << ' ' << label << ' ' << what << '\n';
    }
    weft::task<int>* find(const part& number) {
        const auto found = tasks_.find(number.number());
        return found == tasks_.end() ? nullptr : &found->second;
    }
    weft::promise<int>* find_promise(const part& number) {
        const auto found = promises_.find(number.number());
        return found == promises_.end() ? nullptr : &found->second;
    }

    weft::coro<int> body(int task, const part& statements) {
        note(task, "-", "begins");
        try {
            const int value = (co_await block(task, statements)).value_or(0);
            note(task, "-", "ends " + std::to_string(value));
            co_return value;
        } catch (...) {
            note(task, "-", shown(std::current_exception()));
            throw;
        }
    }

    weft::coro<returned> block(int task, const part& statements) {
        for (const part& s : statements.parts) {
            if (s[0].word == "return") co_return s[2].number();
            if (at_once(task, s)) continue;
            const returned value = co_await waiting(task, s);
            if (value) co_return value;
        }
        co_return std::nullopt;
    }

    /// What needs no await; false for anything else.
    bool at_once(int task, const part& s) {
        const std::string& name = s[0].word;
        const std::string& label = s[1].word;
        if (name == "log") {
            note(task, label, "log");
        } else if (name == "spawn") {
            tasks_.emplace(s[2].number(), weft::create_task(body(s[2].number(), s[3])));
        } else if (name == "future") {
            promises_.emplace(s[2].number(), weft::promise<int>());
        } else if (name == "set") {
            if (auto* promise = find_promise(s[2])) promise->try_set_result(s[1].number());
        } else if (name == "fail") {
            const auto error = std::make_exception_ptr(failure("failure " + label));
            if (auto* promise = find_promise(s[2])) promise->try_set_exception(error);
        } else if (name == "raise") {
            throw failure("failure " + label);
        } else if (name == "later") {
            weft::call_later(milliseconds(s[2].number()), [this, task, &s] {
                if (const auto* target = find(s[3])) note(task, s[1].word, target->cancel());
            });
        } else {
            return about_a_task(task, s);
        }
        return true;
    }

    bool about_a_task(int task, const part& s) {
        const std::string& name = s[0].word;
        const std::string& label = s[1].word;
        if (name != "cancel" && name != "count" && name != "state" && name != "callback")
            return false;
        const weft::task<int>* const target = find(s[2]);
        if (target == nullptr) return true;
        if (name == "cancel") note(task, label, target->cancel());
        if (name == "count") note(task, label, target->cancelling());
        if (name == "state") note(task, label, state(*target));
        if (name == "callback") {
            target->add_done_callback([this, task, label](const weft::any_task& done) {
                note(task, label, state(done));
            });
        }
        return true;
    }

    weft::coro<returned> waiting(int task, const part& s) {
        const std::string& name = s[0].word;
        const std::string& label = s[1].word;
        if (name == "sleep" || name == "turn") {
            co_await weft::sleep(milliseconds(name == "turn" ? 0 : s[2].number()));
            note(task, label, "woke");
        } else if (name == "await") {
            co_await await(task, label, s[2].word == "task", s[3]);
        } else if (name == "call") {
            note(task, label, co_await body(task, s[2]));
        } else if (name == "timeout") {
            co_return co_await limited(task, s);
        } else if (name == "try") {
            co_return co_await attempt(task, s);
        } else {
            throw std::logic_error("there is no statement " + name);
        }
        co_return std::nullopt;
    }

    weft::coro<> await(int task, const std::string& label, bool is_task, const part& number) {
        if (is_task) {
            if (auto* target = find(number)) {
                const int value = co_await *target;
                note(task, label, value);
            }
        } else if (auto* promise = find_promise(number)) {
            const int value = co_await promise->get_future();
            note(task, label, value);
        }
    }

    weft::coro<returned> limited(int task, const part& s) {
        weft::timeout_scope scope{milliseconds(s[2].number())};
        std::exception_ptr error;
        returned value;
        try {
            value = co_await weft::with_timeout(scope, block(task, s[3]));
        } catch (...) {
            error = std::current_exception();
        }
        note(task, s[1].word, scope.expired());
        if (error) std::rethrow_exception(error);
        co_return value;
    }

    weft::coro<returned> attempt(int task, const part& s) {
        std::exception_ptr error;
        returned value;
        try {
            value = co_await block(task, s[2]);
        } catch (...) {
            error = std::current_exception();
        }
        if (error) {
            const std::size_t handler = weft::is_cancellation(error) ? 3 : 5;
            try {
                value = co_await handle(task, s, error, handler);
                error = nullptr;
            } catch (...) {
                error = std::current_exception();
            }
        }
        const returned at_end = co_await block(task, s[7]);
        if (at_end) co_return at_end;
        if (error) std::rethrow_exception(error);
        co_return value;
    }

    weft::coro<returned> handle(int task, const part& s, std::exception_ptr error,
                                std::size_t handler) {
        const std::string& then = s[handler].word;
        if (then == "pass") std::rethrow_exception(error);
        note(task, s[1].word, "caught " + shown(error));
        const returned value = co_await block(task, s[handler + 1]);
        if (!value && then == "again") std::rethrow_exception(error);
        co_return value;
    }

    const weft::detail::time_point begin_ = now;
    std::map<int, weft::task<int>> tasks_;
    std::map<int, weft::promise<int>> promises_;
};

}  // namespace

int main() {
    now = weft::detail::time_point{std::chrono::hours{1}};
    weft::detail::real_environment::set_clock(+[]() noexcept { return now; });
    for (part program; read(std::cin >> std::ws, program) && std::cin; program = {})
        interpreter{}.run(program);
}
