// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A dump upon a signal.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

/// The default action, as it is in a program.
class default_action {
public:
    default_action() { ::signal(SIGUSR1, SIG_DFL); }
    ~default_action() { ::signal(SIGUSR1, SIG_DFL); }
};

bool is_default(int number) {
    struct sigaction now{};
    ::sigaction(number, nullptr, &now);
    return now.sa_handler == SIG_DFL;
}

struct dump_log {
    std::mutex mutex;
    std::vector<std::vector<task_description>> dumps;
    std::size_t count() {
        std::lock_guard guard{mutex};
        return dumps.size();
    }
    void attach(runtime& to) {
        to.set_dump_handler([this](const std::vector<task_description>& tasks) {
            std::lock_guard guard{mutex};
            dumps.push_back(tasks);
        });
    }
};

}  // namespace

TEST_CASE("a signal has the tasks of every runtime that asked for it told") {
    if (signals_are_deferred()) return;
    const default_action restore;
    on_workers(multi, [](unsigned workers) {
        gate g;
        dump_log first_log;
        dump_log second_log;
        {
            runtime first{{.workers = workers, .dump_signal = SIGUSR1}};
            first_log.attach(first);
            task<> t = first.spawn(pass(g), {.name = "watched"});
            {
                runtime second{{.workers = 1, .dump_signal = SIGUSR1}};
                second_log.attach(second);
                ::kill(::getpid(), SIGUSR1);
                while (first_log.count() == 0 || second_log.count() == 0) std::this_thread::yield();
            }
            CHECK_FALSE(is_default(SIGUSR1));
            ::kill(::getpid(), SIGUSR1);
            while (first_log.count() < 2) std::this_thread::yield();
            g.open();
        }
        CHECK(is_default(SIGUSR1));
        CHECK(first_log.dumps.back().size() == 1);
        CHECK(first_log.dumps.back()[0].name == "watched");
        CHECK(second_log.dumps.back().empty());
    });
}

TEST_CASE("a dump comes also while every worker is kept") {
    if (signals_are_deferred()) return;
    const default_action restore;
    on_workers({1, 2}, [](unsigned workers) {
        dump_log log;
        std::atomic<bool> enough{false};
        auto keeps = [](std::atomic<bool>& until) -> coro<> {
            while (!until) detail::real_environment::relax();
            co_return;
        };
        runtime r{
            {.workers = workers, .slow_run = 0ns, .rescue_workers = 0, .dump_signal = SIGUSR1}};
        log.attach(r);
        for (unsigned i = 0; i < workers; ++i) static_cast<void>(r.spawn(keeps(enough)));
        ::kill(::getpid(), SIGUSR1);
        while (log.count() == 0) std::this_thread::yield();
        enough = true;
        CHECK(log.dumps[0].size() == workers);
    });
}

TEST_CASE("without a handler a dump goes to standard error") {
    if (signals_are_deferred()) return;
    child_result result = in_child([] {
        ::signal(SIGUSR1, SIG_DFL);
        gate g;
        runtime r{{.workers = 2, .dump_signal = SIGUSR1}};
        task<> t = r.spawn(pass(g), {.name = "watched"});
        while (g.waiting() == 0) std::this_thread::yield();
        ::kill(::getpid(), SIGUSR1);
        g.open();  // what is asked before the end is told before the end
        return 0;
    });
    CHECK(result.exit_code == 0);
    CHECK(result.output.starts_with("weft: "));
}

TEST_CASE("a handler of dumps may throw, replace itself, and not close the runtime") {
    if (signals_are_deferred()) return;
    const default_action restore;
    std::atomic<int> calls{0};
    std::atomic<bool> refused{false};
    runtime r{{.workers = 1, .dump_signal = SIGUSR1}};
    r.set_dump_handler([&](const auto&) {
        try {
            r.close();
        } catch (const usage_error&) {
            refused = true;
        }
        r.set_dump_handler([&](const auto&) { ++calls; });
        ++calls;
        throw std::runtime_error("dropped");
    });
    ::kill(::getpid(), SIGUSR1);
    while (calls == 0) std::this_thread::yield();
    ::kill(::getpid(), SIGUSR1);
    while (calls == 1) std::this_thread::yield();
    CHECK(refused);
}

TEST_CASE("a signal that is none, or that the program handles, is refused") {
    const default_action restore;
    CHECK_THROWS_AS(runtime({.workers = 1, .dump_signal = -1}), std::invalid_argument);
    CHECK_THROWS_AS(runtime({.workers = 1, .dump_signal = 1000}), std::invalid_argument);
    CHECK_THROWS_AS(runtime({.workers = 1, .dump_signal = SIGKILL}), std::system_error);
    ::signal(SIGUSR1, SIG_IGN);
    CHECK_THROWS_AS(runtime({.workers = 1, .dump_signal = SIGUSR1}), usage_error);
    ::signal(SIGUSR1, [](int) {});
    CHECK_THROWS_AS(runtime({.workers = 1, .dump_signal = SIGUSR1}), usage_error);
}
