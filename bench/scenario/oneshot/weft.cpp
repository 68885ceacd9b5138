// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// oneshot on weft: a created task answers one question, over two oneshots.
#include "contract/contract.hpp"

#include <weft/weft.hpp>

#include <utility>

namespace {

weft::coro<> answer(weft::oneshot_receiver<std::uint64_t> question,
                    weft::oneshot_sender<std::uint64_t> reply) {
    std::uint64_t asked = co_await question;
    reply.send(asked);
}

weft::coro<std::uint64_t> ping_pong(std::uint64_t i) {
    auto ask = weft::make_oneshot<std::uint64_t>();
    auto reply = weft::make_oneshot<std::uint64_t>();
    weft::create_task(answer(std::move(ask.receiver), std::move(reply.sender)));
    ask.sender.send(i);
    co_return co_await reply.receiver;
}

weft::coro<std::uint64_t> sum_up(std::uint64_t size) {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < size; ++i) sum += co_await ping_pong(i);
    co_return sum;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    weft::runtime runtime({.workers = given.workers});
    bench::measure_per_operation(given, given.size,
                                 [&] { return runtime.block_on(sum_up(given.size)); });
}
