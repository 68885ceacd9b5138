// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// gather: the values in the order of the calls; a few at a time; and every outcome, failures
// included.

#include <algorithm>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

int running = 0;
int most = 0;

weft::coro<int> look_up(std::string host) {
    most = std::max(most, ++running);
    co_await weft::sleep(10ms);
    --running;
    if (host.empty()) throw std::invalid_argument("a host needs a name");
    co_return static_cast<int>(host.size());
}

void print(const weft::settled<int>& outcome) {
    try {
        if (!outcome) std::rethrow_exception(outcome.error());
        std::printf("%d\n", *outcome);
    } catch (const std::exception& e) {
        std::printf("%s\n", e.what());
    }
}

std::vector<weft::coro<int>> look_up_each(const std::vector<std::string>& hosts) {
    std::vector<weft::coro<int>> calls;
    for (const std::string& host : hosts) calls.push_back(look_up(host));
    return calls;
}

weft::coro<> async_main() {
    auto [one, other] = co_await weft::gather(look_up("one.example"), look_up("other.example"));
    std::printf("%d and %d\n", one, other);

    most = 0;
    const std::vector<std::string> hosts{"a", "bb", "ccc", "dddd", "eeeee", "ffffff"};
    std::vector<int> sizes = co_await weft::gather({.limit = 2}, look_up_each(hosts));
    std::printf("%zu looked up, at most %d at a time\n", sizes.size(), most);

    const std::vector<std::string> doubtful{"a", "", "ccc"};
    auto outcomes = co_await weft::gather_settled(look_up_each(doubtful));
    for (const weft::settled<int>& outcome : outcomes) print(outcome);
}

}  // namespace

// One worker: the counters need no lock.
int main() { weft::run(async_main(), {.workers = 1}); }
