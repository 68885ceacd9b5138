// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The N-th allocation fails, for every N: what starts tasks either works or throws, leaks nothing
// and leaves the runtime in working order. Then all of them fail: what is ready is queued all the
// same. Only the thread under test is failed, or all of them where there is no memory at all.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WEFT_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WEFT_TEST_SANITIZED 1
#endif
#endif

// The sanitizers have an operator new of their own and know who frees with what.
#ifndef WEFT_TEST_SANITIZED

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <new>
#include <set>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

namespace {

// Allocations until the failing one; negative: none fails.
constinit thread_local long countdown = -1;
constinit thread_local bool has_failed = false;
std::atomic<bool> is_memory_gone{false};
constinit thread_local bool is_exempt = false;
std::atomic<int> refused{0};

void* allocate(std::size_t size, std::size_t alignment) {
    if (is_memory_gone && !is_exempt) {
        refused.fetch_add(1);
        throw std::bad_alloc();
    }
    if (countdown >= 0 && countdown-- == 0) {
        has_failed = true;
        throw std::bad_alloc();
    }
    void* block =
        alignment <= alignof(std::max_align_t)
            ? std::malloc(size == 0 ? 1 : size)
            : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (block == nullptr) throw std::bad_alloc();
    return block;
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }

using namespace weft;
using namespace weft::test;

namespace {

coro<int> gives(int value) {
    co_await yield();
    co_return value;
}

/// Fails the N-th allocation of `action`, for N = 0, 1, 2, ... until it meets none. Returns N.
template <class Action>
long sweep(Action action) {
    for (long n = 0; n < 10'000; ++n) {
        has_failed = false;
        countdown = n;
        try {
            action();
        } catch (const std::bad_alloc&) {
        }
        countdown = -1;
        if (!has_failed) return n;
    }
    return -1;
}

coro<> drains() {
    while (all_tasks().size() > 1) co_await yield();
}

coro<> starts_tasks_without_memory() {
    // Far more than the frame pool has ready, so that it has to ask for more.
    long points = sweep([] {
        std::vector<task<int>> all;
        all.reserve(200);
        for (int i = 0; i < 200; ++i)
            all.push_back(create_task(gives(i), {.name = "a rather long name"}));
    });
    CHECK(points > 0);
    co_await drains();
    task<int> t = create_task(gives(1));
    long callbacks = sweep([&t] { t.add_done_callback([](any_task) {}); });
    CHECK(callbacks > 0);
    int value = co_await t;
    CHECK(value == 1);
    long renames = sweep([&t] { t.set_name("another rather long name"); });
    CHECK(renames > 0);
    long lists = sweep([] { static_cast<void>(all_tasks()); });
    CHECK(lists > 0);
    co_await drains();
}

coro<> drops_without_memory() {
    const long reports = sweep([] { static_cast<void>(gives(1)); });
    CHECK(reports > 0);
    co_return;
}

/// No more address space than `extra` bytes beyond what there is, for as long as it lives.
class address_limit {
public:
    explicit address_limit(std::size_t extra) {
        REQUIRE(getrlimit(RLIMIT_AS, &before_) == 0);
        std::size_t pages = 0;
        std::ifstream("/proc/self/statm") >> pages;
        REQUIRE(pages > 0);
        rlimit wanted = before_;
        wanted.rlim_cur = pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) + extra;
        REQUIRE(setrlimit(RLIMIT_AS, &wanted) == 0);
    }
    address_limit(const address_limit&) = delete;
    address_limit& operator=(const address_limit&) = delete;
    ~address_limit() { setrlimit(RLIMIT_AS, &before_); }

private:
    rlimit before_{};
};

/// The system refuses: a call that finds no memory throws, and all that were made before run.
coro<> fills_the_address_space() {
    std::vector<task<int>> all;
    all.reserve(2'000'000);
    bool is_full = false;
    {
        const address_limit little(std::size_t{24} << 20);
        try {
            while (all.size() < all.capacity()) all.push_back(create_task(gives(1)));
        } catch (const std::bad_alloc&) {
            is_full = true;
        }
    }
    CHECK(is_full);
    CHECK(all.size() > 1000);
    all.push_back(create_task(gives(1)));
    int sum = 0;
    for (task<int>& each : all) sum += co_await each;
    CHECK(sum == static_cast<int>(all.size()));
}

coro<int> counts(std::atomic<int>& begun) {
    begun.fetch_add(1);
    co_return 0;
}

void starts_a_window(std::atomic<int>& begun, bool settles) {
    std::vector<coro<int>> all;
    for (int i = 0; i < 10; ++i) all.push_back(counts(begun));
    if (settles) {
        auto window = gather_settled({.limit = 5}, std::move(all));
        static_cast<void>(window);
    } else {
        auto window = gather({.limit = 5}, std::move(all));
        static_cast<void>(window);
    }
}

/// With one worker none of the children can have begun before the window was there.
coro<> gathers_in_windows_without_memory(bool settles) {
    std::atomic<int> begun{0};
    const long points = sweep([&] { starts_a_window(begun, settles); });
    CHECK(points > 0);
    co_await drains();
    CHECK(begun == 10);
}

coro<> combines_without_memory() {
    long gathers = sweep([] {
        std::vector<coro<int>> all;
        for (int i = 0; i < 10; ++i) all.push_back(gives(i));
        auto both = gather(std::move(all));
        static_cast<void>(both);
    });
    CHECK(gathers > 0);
    co_await drains();
    long forks = sweep([] {
        const detail::quiet_drop unawaited;
        std::vector<coro<int>> all;
        for (int i = 0; i < 10; ++i) all.push_back(gives(i));
        auto both = when_all(std::move(all));
        static_cast<void>(both);
    });
    CHECK(forks > 0);
    // A request without memory for its reason is a request all the same.
    task<> t = create_task(coro_sleep(far));
    co_await yield();
    bool accepted = true;
    sweep(
        [&] { accepted = t.cancel("a reason that is too long for any small buffer") && accepted; });
    CHECK(accepted);
    while (!t.done()) co_await yield();
    CHECK(t.cancelled());
}

/// Nobody who is not exempt gets any memory while it lives.
class no_memory {
public:
    no_memory() noexcept { is_memory_gone = true; }
    no_memory(const no_memory&) = delete;
    no_memory& operator=(const no_memory&) = delete;
    ~no_memory() { is_memory_gone = false; }
};

constexpr int many = 2000;  // more than a deque has room for before it grows

coro<> adds_one(std::atomic<int>& count) {
    count.fetch_add(1);
    co_return;
}

coro<> wakes_many_without_memory() {
    std::vector<task<>> all;
    all.reserve(many);
    for (int i = 0; i < many; ++i) all.push_back(create_task(coro_sleep(far)));
    co_await sleep(1ms);
    {
        no_memory meanwhile;
        for (task<>& each : all) each.cancel();
    }
    for (task<>& each : all) {
        while (!each.done()) co_await yield();
        CHECK(each.cancelled());
    }
}

coro<> forks_many_without_memory() {
    std::atomic<int> count{0};
    std::vector<coro<>> all;
    for (int i = 0; i < many; ++i) all.push_back(adds_one(count));
    auto together = when_all(std::move(all));
    {
        no_memory meanwhile;
        co_await together;
    }
    CHECK(count.load() == many);
}

}  // namespace

TEST_CASE("blocks are freed although no memory is left for their magazines") {
    leak_check clean;
    const std::int64_t before = detail::live_blocks();
    std::vector<void*> blocks;
    for (int i = 0; i < 50'000; ++i) blocks.push_back(detail::allocate_block(112));
    std::thread{[&blocks] {
        refused = 0;
        is_memory_gone = true;
        for (void* block : blocks) detail::free_block(block, 112);
        is_memory_gone = false;
    }}.join();
    CHECK(refused != 0);  // more than there were magazines
    CHECK(detail::live_blocks() == before);
    std::set<void*> distinct;
    for (void*& block : blocks) distinct.insert(block = detail::allocate_block(112));
    CHECK(distinct.size() == blocks.size());
    for (void* block : blocks) detail::free_block(block, 112);
}

TEST_CASE("starting tasks without memory") {
    on_workers(multi,
               [](unsigned workers) { run(starts_tasks_without_memory(), {.workers = workers}); });
}

TEST_CASE("a coroutine that nobody awaits, without the memory to say so") {
    on_workers(multi, [](unsigned workers) {
        failure_log told;
        runtime r{{.workers = workers}};
        told.attach(r);
        r.block_on(drops_without_memory());
        REQUIRE(!told.all().empty());
        CHECK(told.all().back().what == failure::kind::never_awaited);
    });
}

TEST_CASE("a full address space") {
    on_workers(multi,
               [](unsigned workers) { run(fills_the_address_space(), {.workers = workers}); });
}

TEST_CASE("combining tasks without memory") {
    on_workers(multi,
               [](unsigned workers) { run(combines_without_memory(), {.workers = workers}); });
}

TEST_CASE("a gather in windows that finds no memory begins nothing") {
    const bool settles = GENERATE(false, true);
    on_workers(single, [settles](unsigned workers) {
        run(gathers_in_windows_without_memory(settles), {.workers = workers});
    });
}

TEST_CASE("queueing what is ready needs no memory") {
    refused = 0;
    is_exempt = true;  // this thread; the workers are not
    on_workers(multi, [](unsigned workers) {
        run(wakes_many_without_memory(), {.workers = workers});
        run(forks_many_without_memory(), {.workers = workers});
        runtime outside{{.workers = workers}};
        std::vector<task<>> sleepers;
        for (int i = 0; i < many; ++i) sleepers.push_back(outside.spawn(coro_sleep(far)));
        {
            no_memory meanwhile;
            is_exempt = false;
            for (task<>& each : sleepers) each.cancel();
            is_exempt = true;
        }
        outside.block_on(drains());
        for (task<>& each : sleepers) CHECK(each.cancelled());
    });
    CHECK(refused > 0);
}

TEST_CASE("starting a runtime without memory") {
    leak_check clean;
    long points = sweep([] { runtime r{{.workers = 3}}; });
    CHECK(points > 0);
    CHECK(run(gives(3), {.workers = 3}) == 3);
}

TEST_CASE("closing without memory leaks nothing and can be tried again") {
    on_workers(multi, [](unsigned workers) {
        for (long n = 0; n < 40; ++n) {
            runtime r{{.workers = workers}};
            for (int i = 0; i < 4; ++i) r.spawn(coro_sleep(far));
            countdown = n;
            try {
                r.close();
            } catch (const std::bad_alloc&) {
            }
            countdown = -1;
            r.close();
        }
    });
}

TEST_CASE("spawning without memory") {
    on_workers(multi, [](unsigned workers) {
        runtime r{{.workers = workers}};
        long points = sweep([&r] {
            for (int i = 0; i < 100; ++i) r.spawn(gives(i), {.name = "a rather long name"});
        });
        CHECK(points > 0);
        r.block_on(drains());
    });
}

#endif  // WEFT_TEST_SANITIZED
