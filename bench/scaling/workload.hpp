// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What the simulated workers have to do, and what came of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "scheduler.hpp"

namespace scaling {

/// A program that knows how much it created and how much of it was run.
class workload : public program {
public:
    process<nothing> run(worker&, job&) override;
    process<nothing> run_fork(worker&, fork_child*) override;

    std::uint64_t created = 0;
    std::uint64_t ran = 0;
    std::uint64_t ran_twice = 0;
    double work = 0;                // ns of useful work that was run
    std::vector<double> latencies;  // from ready to done, or of a burst as a whole
    int expected_outside = 0;       // events and injections that are still to come
};

/// fib, uneven, tiny, large, burst, inject, ping, echo; null: no such name. `size` 0: the default.
std::unique_ptr<workload> make_workload(std::string_view name, int size, unsigned seed);
std::unique_ptr<workload> make_fork_join(std::string_view name, int size, unsigned seed);

/// The same numbers everywhere, unlike the standard library's distributions.
class random_numbers {
public:
    explicit random_numbers(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next();
    double uniform();  // in (0, 1)

private:
    std::uint64_t state_;
};

}  // namespace scaling
