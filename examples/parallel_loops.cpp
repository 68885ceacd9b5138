// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Loops on every core: a sum, a table that is filled in place, and two calls at the same time.

#include <algorithm>
#include <cstdio>
#include <functional>
#include <span>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

double area(long strip) {
    const double width = 1e-6;
    const double x = (static_cast<double>(strip) + 0.5) * width;
    return width * 4 / (1 + x * x);
}

bool is_prime(int n) {
    if (n < 2) return false;
    for (int d = 2; d * d <= n; ++d) {
        if (n % d == 0) return false;
    }
    return true;
}

weft::coro<> async_main() {
    // With a grain the sum is grouped the same way on every machine: every digit is the same.
    double pi =
        co_await weft::parallel_reduce(0L, 1'000'000L, 0.0, area, std::plus<>{}, {.grain = 10'000});
    std::printf("pi is about %.10f\n", pi);

    std::vector<char> prime(100'000);
    co_await weft::parallel_for(
        0, prime.size(), [&prime](std::size_t i) { prime[i] = is_prime(static_cast<int>(i)); });
    std::printf("%ld primes below %zu\n", std::ranges::count(prime, 1), prime.size());

    // A chunk at a time: the inner loop is an ordinary one.
    std::vector<float> samples(1'000'000, 0.5F);
    co_await weft::parallel_for_chunks(samples, [](std::span<float> chunk) {
        for (float& sample : chunk) sample = sample * 3 - 1;
    });
    std::printf("the last sample is %.1f\n", static_cast<double>(samples.back()));

    auto [first, count] = co_await weft::parallel_invoke(
        [&prime] { return std::ranges::find(prime.begin() + 10'000, prime.end(), 1); },
        [&prime] { return std::count(prime.begin(), prime.begin() + 1000, 1); });
    std::printf("%td is prime, as are %ld numbers below 1000\n", first - prime.begin(), count);
}

int main() { weft::run(async_main()); }
