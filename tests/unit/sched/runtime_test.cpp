// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/runtime.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

coro<int> returns(int value) { co_return value; }

/// Tasks that spread over the workers, and make and free frames there.
coro<int> takes_a_while() {
    co_await yield();
    const auto begin = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begin < std::chrono::microseconds{100}) {
    }
    co_return 1;
}
coro<int> spreads(int count) {
    std::vector<task<int>> all;
    for (int i = 0; i < count; ++i) all.push_back(create_task(takes_a_while()));
    int sum = 0;
    for (task<int>& each : all) {
        int value = co_await each;
        sum += value;
    }
    co_return sum;
}

coro<std::string> thread_name() {
    char name[32] = {};
    pthread_getname_np(pthread_self(), name, sizeof name);
    co_return name;
}

coro<std::size_t> stack_of_this_thread() {
    pthread_attr_t attributes;
    void* address = nullptr;
    std::size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstack(&attributes, &address, &size);
        pthread_attr_destroy(&attributes);
    }
    co_return size;
}

struct hook_counts {
    std::atomic<unsigned> started{0};
    std::atomic<unsigned> stopped{0};
    std::atomic<std::uint64_t> indices{0};
};

coro<std::string> misuses(runtime& own) {
    std::string found;
    try {
        own.block_on(returns(1));
    } catch (const usage_error&) {
        found += "block_on ";
    }
    try {
        own.close();
    } catch (const usage_error&) {
        found += "close ";
    }
    try {
        runtime nested{{.workers = 1}};
    } catch (const usage_error&) {
        found += "runtime";
    }
    co_return found;
}

coro<> exits(int code) {
    std::exit(code);
    co_return;
}

coro<int> forks() {
    pid_t child = ::fork();
    if (child == 0) ::_exit(42);
    int status = 0;
    ::waitpid(child, &status, 0);
    co_return WEXITSTATUS(status);
}

/// What a child of fork() gets for using its copy of the parent's runtime.
child_result in_fork_of_a_runtime(const std::function<int(runtime&)>& use) {
    return in_child([&] {
        runtime parents{{.workers = 2}};
        parents.block_on(returns(1));
        child_result child = in_child([&] { return use(parents); });
        std::fputs(child.output.c_str(), stdout);
        std::fflush(stdout);
        return child.signal == SIGABRT ? 100 : child.exit_code;
    });
}

runtime& function_static() {
    static runtime the_runtime{{.workers = 2, .slow_run = 0ms}};
    return the_runtime;
}

coro<> counts(std::atomic<unsigned>& ran) {
    ++ran;
    co_return;
}

coro<> spawns_into(runtime& other, std::atomic<unsigned>& ran) {
    for (int i = 0; i < 100; ++i) other.spawn(counts(ran));
    co_return;
}

}  // namespace

TEST_CASE("a runtime has the workers it was asked for") {
    leak_check clean;
    runtime three{{.workers = 3}};
    CHECK(three.worker_count() == 3);
    runtime some{};
    CHECK(some.worker_count() >= 1);
    CHECK_THROWS_AS(runtime({.workers = 257}), std::invalid_argument);
}

TEST_CASE("workers have names") {
    leak_check clean;
    CHECK(run(thread_name(), {.workers = 1}) == "weft-0");
    CHECK(run(thread_name(), {.workers = 1, .thread_name = "a very long name"}) == "a very long-0");
}

TEST_CASE("workers have the stack they were asked for") {
    leak_check clean;
    std::size_t size = run(stack_of_this_thread(), {.workers = 1, .stack_size = 256 * 1024 - 5});
    CHECK(size >= 256 * 1024 - 4096);
    CHECK(size <= 512 * 1024);
    CHECK_THROWS_AS(runtime({.workers = 2, .stack_size = 1}), std::system_error);
}

TEST_CASE("hooks run once on each worker") {
    leak_check clean;
    hook_counts counts;
    runtime_options options{.workers = 4};
    options.hook_context = &counts;
    options.on_worker_start = [](unsigned index, void* context) {
        auto& c = *static_cast<hook_counts*>(context);
        ++c.started;
        c.indices |= std::uint64_t{1} << index;
    };
    options.on_worker_stop = [](unsigned, void* context) {
        ++static_cast<hook_counts*>(context)->stopped;
    };
    run(returns(0), options);
    CHECK(counts.started == 4);
    CHECK(counts.stopped == 4);
    CHECK(counts.indices == 0xf);
}

TEST_CASE("what would block a worker is refused there") {
    on_workers(multi, [](unsigned workers) {
        runtime r{{.workers = workers}};
        CHECK(r.block_on(misuses(r)) == "block_on close runtime");
    });
}

TEST_CASE("two runtimes work side by side and start tasks on each other") {
    on_workers(multi, [](unsigned workers) {
        std::atomic<unsigned> ran{0};
        runtime a{{.workers = workers}};
        runtime b{{.workers = workers}};
        task<> from_a = a.spawn(spawns_into(b, ran));
        task<> from_b = b.spawn(spawns_into(a, ran));
        a.block_on(ended(from_b));
        b.block_on(ended(from_a));
        while (ran != 200) std::this_thread::yield();
    });
}

TEST_CASE("block_on from several threads at once") {
    on_workers(multi, [](unsigned workers) {
        runtime r{{.workers = workers}};
        std::atomic<int> sum{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 8; ++i) {
            threads.emplace_back([&r, &sum] {
                for (int n = 0; n < 50; ++n) sum += r.block_on(returns(1));
            });
        }
        for (std::thread& t : threads) t.join();
        CHECK(sum == 400);
    });
}

TEST_CASE("close from several threads at once, while others start tasks") {
    on_workers(multi, [](unsigned workers) {
        for (int round = 0; round < 20; ++round) {
            std::atomic<unsigned> ran{0};
            std::atomic<unsigned> accepted{0};
            runtime r{{.workers = workers}};
            std::vector<std::thread> threads;
            for (int i = 0; i < 3; ++i) {
                threads.emplace_back([&] {
                    try {
                        for (;;) {
                            task<> t = r.spawn(counts(ran));
                            ++accepted;
                        }
                    } catch (const runtime_closed&) {
                    }
                });
            }
            while (ran == 0) std::this_thread::yield();
            for (int i = 0; i < 2; ++i) threads.emplace_back([&r] { r.close(); });
            for (std::thread& t : threads) t.join();
            CHECK(ran <= accepted);
            CHECK(r.statistics().live_tasks == 0);
        }
    });
}

TEST_CASE("a task may end the process") {
    child_result result = in_exiting_child([] {
        run(exits(5), {.workers = 2, .slow_run = 0ms});  // whose end may be slow
        return 1;
    });
    CHECK(result.exit_code == 5);
    CHECK(result.output == "");
}

TEST_CASE("a task may fork, and the child may exit") {
    on_workers(multi, [](unsigned workers) { CHECK(run(forks(), {.workers = workers}) == 42); });
}

TEST_CASE("a forked child that uses its copy of a runtime ends with a sentence") {
    auto use = GENERATE(0, 1, 2);
    child_result result = in_fork_of_a_runtime([use](runtime& copy) {
        if (use == 0) return copy.block_on(returns(2));
        if (use == 1) copy.close();
        if (use == 2) copy.spawn(returns(2));
        return 3;
    });
    CHECK(result.exit_code == 100);
    CHECK(result.output.find("does not survive fork()") != std::string::npos);
}

TEST_CASE("a forked child may start a runtime of its own") {
    if (!forked_child_has_threads()) {
        WARN("skipped: ThreadSanitizer cannot follow threads of a forked child");
        return;
    }
    child_result result =
        in_fork_of_a_runtime([](runtime&) { return run(returns(7), {.workers = 2}); });
    CHECK(result.exit_code == 7);
    CHECK(result.output == "");
}

TEST_CASE("a task's forked child may start a runtime of its own") {
    if (!forked_child_has_threads()) {
        WARN("skipped: ThreadSanitizer cannot follow threads of a forked child");
        return;
    }
    const auto workers = GENERATE(1u, 2u);
    child_result result = in_child([workers] {
        auto forks = [workers]() -> coro<int> {
            const pid_t child = ::fork();
            if (child == 0) ::_exit(run(spreads(100), {.workers = workers}) == 100 ? 7 : 8);
            int status = 0;
            ::waitpid(child, &status, 0);
            co_return WIFEXITED(status) ? WEXITSTATUS(status) : 9;
        };
        return run(forks(), {.workers = workers});
    });
    CHECK(result.exit_code == 7);
}

TEST_CASE("a process's first runtimes may begin on several threads at once") {
    const child_result result = in_child([] {
        std::atomic<int> right{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&right] { right += run(returns(1), {.workers = 1}); });
        }
        for (auto& thread : threads) thread.join();
        return right == 4 ? 3 : 4;
    });
    CHECK(result.exit_code == 3);
}

TEST_CASE("a forked child may start many runtimes where its parent had many threads") {
    if (!forked_child_has_threads()) {
        WARN("skipped: ThreadSanitizer cannot follow threads of a forked child");
        return;
    }
    auto tries = GENERATE(1, 2, 3, 4);
    CAPTURE(tries);
    child_result result = in_child([] {
        runtime parent{{.workers = 8}};
        static_cast<void>(parent.block_on(spreads(400)));
        const pid_t child = ::fork();
        if (child == 0) {
            int wrong = 0;
            for (unsigned i = 0; i < 8; ++i) {
                if (run(spreads(100), {.workers = 3 + i % 6}) != 100) ++wrong;
            }
            ::_exit(wrong);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 6;
        std::printf("wait status of the fork: %#x\n", static_cast<unsigned>(status));
        return 5;
    });
    CAPTURE(result.output);
    CHECK(result.exit_code == 6);
}

TEST_CASE("a task whose process is its own fork stops when it suspends") {
    child_result result = in_child([] {
        auto forks_on = []() -> coro<int> {
            pid_t child = ::fork();
            if (child == 0) {
                co_await yield();
                ::_exit(1);
            }
            int status = 0;
            ::waitpid(child, &status, 0);
            co_return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? 4 : 5;
        };
        return run(forks_on(), {.workers = 1});
    });
    CHECK(result.exit_code == 4);
}

TEST_CASE("a task that ends in its process's fork resumes nobody there") {
    const auto workers = GENERATE(1u, 2u);
    child_result result = in_child([workers] {
        auto forks = [](int* status) -> coro<bool> {
            const pid_t child = ::fork();
            if (child != 0) ::waitpid(child, status, 0);
            co_return child == 0;
        };
        auto awaits = [&forks]() -> coro<int> {
            int status = 0;
            const bool is_the_fork = co_await create_task(forks(&status));
            if (is_the_fork) ::_exit(1);
            co_return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? 4 : 5;
        };
        return run(awaits(), {.workers = workers});
    });
    CHECK(result.exit_code == 4);
}

TEST_CASE("a runtime may be a function's static") {
    child_result result = in_exiting_child([] { return function_static().block_on(returns(6)); });
    CHECK(result.exit_code == 6);
    CHECK(result.output == "");
}

TEST_CASE("a runtime that is destroyed by its own task stops the program with a sentence") {
    child_result result = in_child([] {
        auto* r = new runtime{{.workers = 1}};
        auto destroys = [](runtime* own) -> coro<> {
            delete own;
            co_return;
        };
        r->block_on(destroys(r));
        return 0;
    });
    CHECK(result.signal == SIGABRT);
    CHECK(result.output.find("destroyed by one of its own tasks") != std::string::npos);
}
