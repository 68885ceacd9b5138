// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "sched/signal_watch.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/runtime_case.hpp"

using namespace weft;
using namespace weft::test;

namespace {

void send(int number) { ::kill(::getpid(), number); }

coro<> sends(int number) {
    send(number);
    co_return;
}

coro<> waits_for(int number, std::string& seen) {
    task<> sender = create_task(sends(number));
    try {
        co_await sleep(far);
    } catch (const cancelled& c) {
        seen = c.reason();
        throw;
    }
}

coro<> is_hit_by(int number) {
    std::string seen;
    co_await waits_for(number, seen);
}

coro<int> swallows(int number) {
    try {
        co_await is_hit_by(number);
    } catch (const cancelled&) {
        co_return 9;
    }
    co_return 1;
}

coro<> swallows_one_of_two(int number) {
    co_await swallows(number);
    co_await is_hit_by(number);
}

coro<> is_hit_by_both() {
    send(SIGINT);
    send(SIGTERM);
    co_await sleep(far);
}

coro<int> survives(int number) {
    send(number);
    co_await yield();
    co_return 8;
}

coro<int> ends_with(int number) {
    send(number);
    co_return 1;
}

coro<> no_work() { co_return; }

coro<int> fails() {
    throw std::runtime_error("of its own");
    co_return 1;
}

coro<int> fails_with(int number) {
    send(number);
    throw std::runtime_error("of its own");
    co_return 1;
}

coro<> says_goodbye(bool& began) {
    began = true;
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        std::fputs("goodbye\n", stdout);
        std::fflush(stdout);
        throw;
    }
}

coro<> is_hit_beside_a_task(int number) {
    bool began = false;
    task<> other = create_task(says_goodbye(began));
    while (!began) co_await yield();
    co_await is_hit_by(number);
}

coro<int> status_of_a_fork_that_is_hit_by(int number) {
    const pid_t child = ::fork();
    if (child == 0) {
        send(number);
        ::_exit(1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    co_return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

coro<> opens_and_waits(std::atomic<bool>& began, int& met) {
    began = true;
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        met = 1;
        throw;
    }
}

void handle_it_ourselves(int /*number*/) {}

void (*handler_of(int number))(int) {
    struct sigaction now{};
    sigaction(number, nullptr, &now);
    return now.sa_handler;
}

void spin_for(std::chrono::nanoseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end) {
    }
}

/// What interrupted `body`, 0 if nothing did.
template <class Body>
int interrupter_of(Body body) {
    try {
        body();
    } catch (const interrupted& by) {
        return by.signal_number();
    }
    return 0;
}

}  // namespace

TEST_CASE("SIGINT and SIGTERM cancel the main task") {
    if (signals_are_deferred()) return;
    const int number = GENERATE(SIGINT, SIGTERM);
    const child_result result = in_child([number] {
        std::string seen;
        const int by = interrupter_of(
            [&] { run(waits_for(number, seen), {.workers = 2, .handle_signals = true}); });
        return by == number && seen == (number == SIGINT ? "SIGINT" : "SIGTERM") ? 3 : 4;
    });
    CHECK(result.exit_code == 3);
}

TEST_CASE("a main task that handles the signal returns normally, and a second one is deadly") {
    if (signals_are_deferred()) return;
    const child_result handled =
        in_child([] { return run(swallows(SIGTERM), {.workers = 1, .handle_signals = true}); });
    CHECK(handled.exit_code == 9);
    const child_result deadly = in_child([] {
        run(swallows_one_of_two(SIGINT), {.workers = 1, .handle_signals = true});
        return 1;
    });
    CHECK(deadly.signal == SIGINT);
}

TEST_CASE("the second of two different signals is deadly, however soon it comes") {
    if (signals_are_deferred()) return;
    const auto workers = GENERATE(1u, 2u);
    for (int i = 0; i < 20; ++i) {
        const child_result result = in_child([workers] {
            return interrupter_of(
                [workers] { run(is_hit_by_both(), {.workers = workers, .handle_signals = true}); });
        });
        CHECK(result.signal == SIGTERM);
    }
}

TEST_CASE("a signal that the process ignores stays ignored") {
    const child_result result = in_child([] {
        signal(SIGINT, SIG_IGN);
        return run(survives(SIGINT), {.workers = 1, .handle_signals = true});
    });
    CHECK(result.exit_code == 8);
}

TEST_CASE("a handler that the program sets beside a blocking call stays") {
    if (signals_are_deferred()) return;  // ThreadSanitizer's sigaction is no exchange
    const child_result result = in_child([] {
        std::atomic<bool> is_over{false};
        int lost = 0;
        std::thread sets{[&] {
            for (int i = 0; i < 3000; ++i) {
                signal(SIGINT, &handle_it_ourselves);
                spin_for(50us);
                if (handler_of(SIGINT) != &handle_it_ourselves) ++lost;
                signal(SIGINT, SIG_DFL);
                spin_for(std::chrono::microseconds{i % 37});
            }
            is_over = true;
        }};
        runtime r{{.workers = 1}};
        while (!is_over) r.block_on(no_work());
        sets.join();
        return lost == 0 ? 3 : 4;
    });
    CHECK(result.exit_code == 3);
}

TEST_CASE("unasked, run takes SIGINT only, and on the main thread only") {
    if (signals_are_deferred()) return;
    const child_result taken = in_child([] {
        return interrupter_of([] { run(is_hit_by(SIGINT), {.workers = 1}); }) == SIGINT ? 3 : 4;
    });
    CHECK(taken.exit_code == 3);
    const child_result terminated = in_child([] {
        run(is_hit_by(SIGTERM), {.workers = 1});
        return 1;
    });
    CHECK(terminated.signal == SIGTERM);
    const child_result refused = in_child([] {
        run(is_hit_by(SIGINT), {.workers = 1, .handle_signals = false});
        return 1;
    });
    CHECK(refused.signal == SIGINT);
    const child_result elsewhere = in_child([] {
        std::thread{[] { run(is_hit_by(SIGINT), {.workers = 1}); }}.join();
        return 1;
    });
    CHECK(elsewhere.signal == SIGINT);
}

TEST_CASE("a signal that comes as the main task ends is not lost") {
    if (signals_are_deferred()) return;
    const auto workers = GENERATE(1u, 2u);
    const child_result result = in_child([workers] {
        runtime r{{.workers = workers}};
        for (int i = 0; i < 200; ++i) {
            if (interrupter_of([&] { r.block_on(ends_with(SIGINT)); }) != SIGINT) return 1;
        }
        return r.block_on(swallows(SIGINT)) == 9 ? 3 : 2;  // each call watches anew
    });
    CHECK(result.exit_code == 3);
    const child_result failing = in_child([workers] {
        int reported = 0;
        int thrown = 0;
        {
            runtime r{{.workers = workers}};
            r.set_failure_handler([&reported](const failure&) { ++reported; });
            for (int i = 0; i < 100; ++i) {
                try {
                    r.block_on(fails_with(SIGINT));
                } catch (const interrupted&) {
                } catch (const std::runtime_error&) {
                    ++thrown;  // the request was accepted, and the error wins over it
                }
            }
        }
        return reported + thrown == 100 ? 3 : 1;
    });
    CHECK(failing.exit_code == 3);
}

TEST_CASE("a fork's child is not watched") {
    if (signals_are_deferred()) return;
    const child_result result = in_child([] {
        const runtime_options both{.workers = 2, .handle_signals = true};
        const bool right = run(status_of_a_fork_that_is_hit_by(SIGINT), {.workers = 2}) == SIGINT &&
                           run(status_of_a_fork_that_is_hit_by(SIGINT), both) == SIGINT &&
                           run(status_of_a_fork_that_is_hit_by(SIGTERM), both) == SIGTERM &&
                           interrupter_of([&] { run(is_hit_by(SIGTERM), both); }) == SIGTERM;
        return right ? 3 : 1;
    });
    CHECK(result.exit_code == 3);
}

TEST_CASE("a thread that asked to be told of signals comes before the main thread, which follows") {
    if (signals_are_deferred()) return;
    const child_result result = in_child([] {
        std::atomic<bool> main_waits{false};
        std::atomic<int> first{0};
        std::thread asks{[&] {
            while (!main_waits) std::this_thread::yield();
            first = interrupter_of(
                [] { run(is_hit_by(SIGINT), {.workers = 1, .handle_signals = true}); });
            send(SIGINT);
        }};
        int met = 0;
        const int second =
            interrupter_of([&] { run(opens_and_waits(main_waits, met), {.workers = 1}); });
        asks.join();
        return first == SIGINT && second == SIGINT && met == 1 ? 3 : 4;
    });
    CHECK(result.exit_code == 3);
}

TEST_CASE("an interruption that nobody catches ends the process by its signal") {
    if (signals_are_deferred()) return;
    const int number = GENERATE(SIGINT, SIGTERM);
    const child_result result = in_child([number]() noexcept {
        run(is_hit_beside_a_task(number), {.workers = 2, .handle_signals = true});
        return 1;
    });
    CHECK(result.signal == number);
    CHECK(result.output == "goodbye\n");  // the runtime was closed
    const child_result on_a_thread = in_child([number] {
        std::thread{[number] {
            run(is_hit_beside_a_task(number), {.workers = 2, .handle_signals = true});
        }}.join();
        return 1;
    });
    CHECK(on_a_thread.signal == number);
    CHECK(on_a_thread.output == "goodbye\n");
}

TEST_CASE("nobody takes the signal of an interruption that ends the process") {
    if (signals_are_deferred()) return;
    for (int i = 0; i < 40; ++i) {
        const child_result result = in_child([] {
            std::atomic<bool> began{false};
            std::thread thread{[&began] {
                runtime r{{.workers = 1, .handle_signals = true}};
                began = true;
                spin_for(1ms);
                r.block_on(is_hit_by(SIGINT));
            }};
            runtime r{{.workers = 1}};
            while (!began) std::this_thread::yield();
            interrupter_of([&r] {
                for (;;) r.block_on(no_work());
            });
            thread.join();
            return 1;
        });
        CHECK(result.signal == SIGINT);
    }
}

TEST_CASE("as a container's first process it ends by the status that a shell gives the signal") {
    if (signals_are_deferred()) return;
    const child_result result = in_child([]() noexcept {
        if (::unshare(CLONE_NEWPID) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) return 77;
        const pid_t first = ::fork();
        if (first == 0) {
            run(is_hit_by(SIGINT), {.workers = 2});
            return 1;
        }
        int status = 0;
        ::waitpid(first, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
    });
    if (result.exit_code == 77) {
        WARN("skipped: no right to a process namespace");
        return;
    }
    CHECK(result.exit_code == 128 + SIGINT);
}

TEST_CASE("after an interruption other exceptions that nobody catches end the process as ever") {
    if (signals_are_deferred()) return;
    const child_result result = in_child([]() noexcept {
        interrupter_of([] { run(is_hit_by(SIGINT), {.workers = 1}); });
        return run(fails(), {.workers = 1});
    });
    CHECK(result.signal == SIGABRT);
    CHECK(result.output.find("of its own") != std::string::npos);
}
