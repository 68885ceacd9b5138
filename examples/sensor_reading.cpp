// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A promise brings what another library's thread finds out to any number of tasks.

#include <cstdio>
#include <thread>
#include <weft/weft.hpp>

namespace {

/// Stands for a library that calls back from a thread of its own.
template <class Callback>
std::thread measure(Callback done) {
    return std::thread([call = std::move(done)] { call(21.5); });
}

weft::coro<> display(weft::future<double> reading, const char* where) {
    const double degrees = co_await reading;
    std::printf("%s: %.1f degrees\n", where, degrees);
}

weft::coro<> async_main() {
    weft::promise<double> reading;
    auto hall = weft::create_task(display(reading.get_future(), "hall"));
    auto kitchen = weft::create_task(display(reading.get_future(), "kitchen"));
    std::thread sensor = measure([&reading](double value) { reading.set_result(value); });
    co_await hall;
    co_await kitchen;
    sensor.join();
    std::puts(reading.try_set_result(0.0) ? "set again" : "a future is set once");
}

}  // namespace

int main() { weft::run(async_main(), {.workers = 1}); }
