// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Tasks that keep their worker: they are named, and others serve what waits for the worker.
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/net/tcp_listener.hpp"
#include "weft/net/tcp_stream.hpp"
#include "weft/runtime.hpp"
#include "weft/task/frame_pool.hpp"

using namespace weft;
using namespace weft::test;

namespace {

/// A pipe on which a task blocks its worker until it is released.
class barrier_pipe {
public:
    barrier_pipe() { REQUIRE(::pipe(ends_.data()) == 0); }
    ~barrier_pipe() {
        ::close(ends_[0]);
        ::close(ends_[1]);
    }
    barrier_pipe(const barrier_pipe&) = delete;
    barrier_pipe& operator=(const barrier_pipe&) = delete;

    void block() {
        ++blocked_;
        char byte = 0;
        while (::read(ends_[0], &byte, 1) != 1) {
        }
        --blocked_;
    }
    void release(int count) {
        for (int i = 0; i < count; ++i) REQUIRE(::write(ends_[1], "x", 1) == 1);
    }
    void await_blocked(int count) const {
        while (blocked_ != count) std::this_thread::yield();
    }

private:
    std::array<int, 2> ends_{};
    std::atomic<int> blocked_{0};
};

coro<> waits_in_many_tasks(std::size_t count) {
    std::vector<task<>> tasks;
    tasks.reserve(count);
    gate g;
    for (std::size_t i = 0; i < count; ++i) tasks.push_back(create_task(pass(g)));
    while (g.waiting() < count) co_await yield();
    g.open();
    for (task<>& t : tasks) co_await t;
}

coro<> blocks(barrier_pipe& pipe) {
    pipe.block();
    co_return;
}

coro<> computes(const std::atomic<bool>& enough) {
    while (!enough) {
    }
    co_return;
}

/// What the handler was told, with a way to wait for it.
class slow_log {
public:
    void attach(runtime& target) {
        target.set_slow_run_handler([this](const slow_run& what) {
            std::lock_guard guard{mutex_};
            runs_.push_back(what);
            ++count_;
        });
    }
    slow_run await_first() {
        while (count_ == 0) std::this_thread::yield();
        std::lock_guard guard{mutex_};
        return runs_.front();
    }
    [[nodiscard]] int count() const { return count_; }

private:
    std::mutex mutex_;
    std::vector<slow_run> runs_;
    std::atomic<int> count_{0};
};

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

coro<> awaits_through_gather(barrier_pipe& pipe) {
    task<> culprit = create_task(blocks(pipe), {.name = "culprit"});
    task<> other = create_task(coro_sleep(1ms), {.name = "other"});
    co_await gather(culprit, other);
}

coro<> awaits_by_a_task(barrier_pipe& pipe) {
    task<> middle = create_task(awaits_through_gather(pipe), {.name = "middle"});
    co_await middle;
}

coro<net::tcp_stream> accept_one(net::tcp_listener& listener) {
    net::tcp_stream stream = co_await listener.accept();
    co_return std::move(stream);
}

/// Ready tasks, a timer and a socket: each needs somebody's worker.
coro<> needs_everything() {
    for (int i = 0; i < 5; ++i) co_await yield();
    co_await sleep(5ms);
    net::tcp_listener listener = net::tcp_listener::bind(net::endpoint::loopback_v4(0));
    net::endpoint address = listener.local_endpoint();
    task<net::tcp_stream> accepted = create_task(accept_one(listener));
    net::tcp_stream client = co_await net::tcp_stream::connect(address);
    net::tcp_stream server = co_await std::move(accepted);
    task<> sent = create_task(coro_sleep(2ms));
    co_await sent;
    co_await client.write_all(std::as_bytes(std::span{"ping", 4}));
    std::array<std::byte, 4> got{};
    co_await server.read_exactly(got);
}

std::string thread_name() {
    std::array<char, 32> name{};
    pthread_getname_np(pthread_self(), name.data(), name.size());
    return name.data();
}

/// Began on a rescue worker, whose wheel its timer is on; gives the thread it ends on.
coro<std::string> sleeps_past_the_rescue(gate& begun, gate& released) {
    begun.open();
    co_await released;
    co_await sleep(20ms);
    co_return thread_name();
}

/// Runs of three milliseconds: its worker makes progress, and looks at its timers once in 61 runs.
coro<> runs_long(const std::atomic<bool>& enough) {
    while (!enough) {
        const stopwatch since;
        while (since.elapsed() < 3ms) {
        }
        co_await yield();
    }
}

coro<> sleeps_beside_long_runs(std::atomic<bool>& enough, std::chrono::nanoseconds& late) {
    task<> hog = create_task(runs_long(enough));
    const stopwatch since;
    co_await sleep(5ms);
    late = since.elapsed() - 5ms;
    enough = true;
    co_await hog;
}

/// A tree whose leaves compute: children of when_all are steps.
coro<> computes_as_a_tree(int depth) {
    if (depth == 0) {
        const stopwatch since;
        while (since.elapsed() < 1ms) {
        }
        co_return;
    }
    co_await when_all(computes_as_a_tree(depth - 1), computes_as_a_tree(depth - 1));
}

coro<int> calls_back(barrier_pipe& pipe) {
    task<> done = create_task(coro_sleep(0ms));
    done.add_done_callback([&pipe](const any_task&) { pipe.block(); });
    co_await done;
    co_return 0;
}

}  // namespace

TEST_CASE("a task that blocks its worker is named, and who awaits it") {
    on_workers(multi, [](unsigned workers) {
        barrier_pipe pipe;
        slow_log log;
        runtime r{{.workers = workers}};
        log.attach(r);
        task<> root = r.spawn(awaits_by_a_task(pipe), {.name = "root"});
        const slow_run told = log.await_first();
        pipe.release(1);
        CHECK(told.task_name == "culprit");
        CHECK(told.blocked);
        CHECK(told.worker < workers);
        CHECK(told.held >= 10ms);
        CHECK(contains(told.location.function_name(), "blocks"));
        REQUIRE(told.awaited_by.size() == 2);
        CHECK(contains(told.awaited_by[0], "middle"));
        CHECK(contains(told.awaited_by[1], "root"));
        CHECK(contains(told.message, "culprit"));
        CHECK(contains(told.message, "in a system call"));
        CHECK(contains(told.message, "root"));
        r.block_on(ended(root));
    });
}

TEST_CASE("a task that computes is named once for each run") {
    on_workers(multi, [](unsigned workers) {
        std::atomic<bool> enough{false};
        slow_log log;
        runtime r{{.workers = workers, .slow_run = 5ms}};
        log.attach(r);
        task<> hog = r.spawn(computes(enough), {.name = "hog"});
        const slow_run told = log.await_first();
        CHECK(told.task_name == "hog");
        CHECK_FALSE(told.blocked);
        CHECK(told.awaited_by.empty());
        const stopwatch since;
        while (since.elapsed() < 30ms) std::this_thread::yield();
        enough = true;
        r.block_on(ended(hog));
        CHECK(log.count() == 1);
    });
}

TEST_CASE("nobody is named where slow_run is zero, and a negative one is refused") {
    barrier_pipe pipe;
    slow_log log;
    runtime r{{.workers = 2, .slow_run = 0ms}};
    log.attach(r);
    task<> blocked = r.spawn(blocks(pipe));
    pipe.await_blocked(1);
    r.block_on(coro_sleep(30ms));
    pipe.release(1);
    r.block_on(ended(blocked));
    CHECK(log.count() == 0);
    CHECK_THROWS_AS(runtime({.workers = 2, .slow_run = -1ns}), std::invalid_argument);
}

TEST_CASE("a handler for slow runs may throw and may be replaced") {
    barrier_pipe pipe;
    slow_log log;
    std::atomic<int> thrown{0};
    runtime r{{.workers = 2}};
    r.set_slow_run_handler([&](const slow_run&) {
        ++thrown;
        throw std::runtime_error("from the handler");
    });
    task<> first = r.spawn(blocks(pipe));
    while (thrown == 0) std::this_thread::yield();
    log.attach(r);
    task<> second = r.spawn(blocks(pipe), {.name = "second"});
    CHECK(log.await_first().task_name == "second");
    pipe.release(2);
    r.block_on(ended(first));
    r.block_on(ended(second));
}

TEST_CASE("a done-callback that blocks is named") {
    barrier_pipe pipe;
    slow_log log;
    runtime r{{.workers = 2}};
    log.attach(r);
    task<int> root = r.spawn(calls_back(pipe));
    const slow_run told = log.await_first();
    pipe.release(1);
    CHECK(told.blocked);
    CHECK(contains(told.location.function_name(), "run_callbacks"));
    r.block_on(ended(root));
}

TEST_CASE("the handler for slow runs cannot close its runtime") {
    barrier_pipe pipe;
    std::atomic<int> refused{0};
    runtime r{{.workers = 2}};
    r.set_slow_run_handler([&](const slow_run&) {
        try {
            r.close();
        } catch (const usage_error&) {
            ++refused;
        }
    });
    task<> kept = r.spawn(blocks(pipe));
    while (refused == 0) std::this_thread::yield();
    pipe.release(1);
    r.block_on(ended(kept));
}

// Their stacks, and so their ids, are those of the runtime's threads, which are gone by then.
TEST_CASE("a closed runtime may be closed again by threads that are new") {
    runtime r{{.workers = 2}};
    r.close();
    std::atomic<int> begun{0};
    std::atomic<int> refused{0};
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            ++begun;
            while (begun != 8) std::this_thread::yield();  // all at the same time
            try {
                r.close();
            } catch (const usage_error&) {
                ++refused;
            }
        });
    }
    threads.clear();
    CHECK(refused == 0);
}

TEST_CASE("no handler for slow runs is called once its runtime was given up") {
    barrier_pipe pipe;
    std::atomic<bool> is_gone{false};
    std::atomic<int> called_late{0};
    child_result result = in_exiting_child([&] {
        {
            runtime r{{.workers = 2, .shutdown_timeout = 1ms}};
            r.set_slow_run_handler([&](const slow_run&) {
                if (is_gone) ++called_late;
            });
            task<> kept = r.spawn(blocks(pipe));
            pipe.await_blocked(1);
        }
        is_gone = true;
        const stopwatch since;
        while (since.elapsed() < 30ms) std::this_thread::yield();
        return static_cast<int>(called_late);
    });
    CHECK(result.exit_code == 0);
}

TEST_CASE("a timer beside runs that are long but end is served in time") {
    std::atomic<bool> enough{false};
    std::chrono::nanoseconds late{};
    runtime r{{.workers = 2, .slow_run = 0ms}};
    r.block_on(sleeps_beside_long_runs(enough, late));
    // 61 runs of 3 ms without the watchdog.
    CHECK(late < 100ms);
}

TEST_CASE("the memory of a burst of tasks goes back to the system by itself") {
    if (is_sanitized()) return;  // they have memory of their own
    for (const unsigned workers : {1u, 2u}) {
        runtime r{{.workers = workers}};
        r.block_on(waits_in_many_tasks(100'000));
        // Whether pages go back is asked in frame_pool_test; here, whether somebody trims.
        CHECK(detail::frame_pool_use().returned > 15'000'000);
        while (detail::frame_pool_use().returned != 0) std::this_thread::yield();
    }
}

TEST_CASE("a parallel computation is no slow run and calls nobody to the rescue") {
    slow_log log;
    runtime r{{.workers = 2, .slow_run = 20ms}};
    log.attach(r);
    r.block_on(computes_as_a_tree(7));
    CHECK(log.count() == 0);
    CHECK(r.statistics().rescue_workers == 0);
}

TEST_CASE("while every worker is kept, others serve tasks, timers and sockets") {
    on_workers({2, 4}, [](unsigned workers) {
        // Two more than there are workers: the first rescue workers are kept as well.
        const int kept = static_cast<int>(workers) + 2;
        barrier_pipe pipe;
        std::atomic<bool> enough{false};
        runtime r{{.workers = workers, .slow_run = 0ms}};
        std::vector<task<>> tasks;
        tasks.push_back(r.spawn(computes(enough)));
        for (int i = 1; i < kept; ++i) tasks.push_back(r.spawn(blocks(pipe)));
        pipe.await_blocked(kept - 1);
        r.block_on(needs_everything());
        CHECK(r.statistics().rescue_workers >= 3);
        enough = true;
        pipe.release(kept - 1);
        for (task<>& t : tasks) r.block_on(ended(t));
        r.block_on(needs_everything());
    });
}

TEST_CASE("a timer that a rescue worker armed fires after the rescue") {
    barrier_pipe pipe;
    runtime r{{.workers = 2, .slow_run = 0ms}};
    std::vector<task<>> kept;
    for (int i = 0; i < 2; ++i) kept.push_back(r.spawn(blocks(pipe)));
    pipe.await_blocked(2);
    gate begun, released;
    task<std::string> sleeper = r.spawn(sleeps_past_the_rescue(begun, released));
    while (!begun.is_open()) std::this_thread::yield();
    released.open();
    while (r.statistics().timers_armed == 0 && !sleeper.done()) std::this_thread::yield();
    pipe.release(2);
    for (task<>& t : kept) r.block_on(ended(t));
    r.block_on(ended(sleeper));
    CHECK(contains(sleeper.result(), "weft-"));
}

TEST_CASE("without rescue workers, and beside a single worker, none begins") {
    for (const runtime_options& options :
         {runtime_options{.workers = 2, .slow_run = 0ms, .rescue_workers = 0},
          runtime_options{.workers = 1, .slow_run = 0ms}}) {
        barrier_pipe pipe;
        runtime r{options};
        std::vector<task<>> kept;
        for (unsigned i = 0; i < options.workers; ++i) kept.push_back(r.spawn(blocks(pipe)));
        pipe.await_blocked(static_cast<int>(options.workers));
        const stopwatch since;
        while (since.elapsed() < 30ms) std::this_thread::yield();
        CHECK(r.statistics().rescue_workers == 0);
        pipe.release(static_cast<int>(options.workers));
        for (task<>& t : kept) r.block_on(ended(t));
    }
}

TEST_CASE("a rescue goes with its runtime") {
    leak_check clean;
    for (int i = 0; i < 20; ++i) {
        barrier_pipe pipe;
        runtime r{{.workers = 2, .slow_run = 0ms}};
        std::vector<task<>> kept;
        for (int k = 0; k < 2; ++k) kept.push_back(r.spawn(blocks(pipe)));
        pipe.await_blocked(2);
        r.block_on(coro_sleep(1ms));
        pipe.release(2);
        for (task<>& t : kept) r.block_on(ended(t));
    }
}
