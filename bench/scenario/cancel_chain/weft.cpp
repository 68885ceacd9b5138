// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// cancel_chain on weft: tasks that await each other; the outermost is cancelled and awaited.
#include "contract/contract.hpp"

#include "cancel_chain/workload.hpp"

#include <weft/weft.hpp>

#include <chrono>
#include <utility>

namespace {

struct level_ends {
    explicit level_ends(std::uint64_t& count) : levels(count) {}
    level_ends(const level_ends&) = delete;
    level_ends& operator=(const level_ends&) = delete;
    ~level_ends() { ++levels; }
    std::uint64_t& levels;
};

weft::coro<> level(std::uint64_t depth, std::uint64_t& levels, weft::oneshot_sender<bool> begun) {
    const level_ends end{levels};
    if (depth == 1) {
        begun.send(true);
        co_await weft::sleep(std::chrono::hours(1));
    } else {
        weft::task<> next = weft::create_task(level(depth - 1, levels, std::move(begun)));
        co_await next;
    }
}

weft::coro<> cancel_one(std::uint64_t depth, std::uint64_t& levels, double& nanoseconds) {
    auto begun = weft::make_oneshot<bool>();
    weft::task<> chain = weft::create_task(level(depth, levels, std::move(begun.sender)));
    co_await begun.receiver;
    co_await weft::yield();
    const auto start = std::chrono::steady_clock::now();
    chain.cancel();
    try {
        co_await chain;
    } catch (const weft::cancelled&) {
        nanoseconds += bench::nanoseconds_since(start);
    }
}

weft::coro<std::uint64_t> cancel_all(std::uint64_t depth, double& nanoseconds) {
    std::uint64_t levels = 0;
    while (levels < bench::cancelled_levels) co_await cancel_one(depth, levels, nanoseconds);
    co_return levels;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    weft::runtime runtime({.workers = given.workers});
    for (unsigned i = 0; i < given.repeat; ++i) {
        double nanoseconds = 0;
        const std::uint64_t levels = runtime.block_on(cancel_all(given.size, nanoseconds));
        bench::report(nanoseconds / static_cast<double>(levels), "ns/op", levels);
    }
}
