// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The contract between the harness and a contender written in C++ (contract.rs and contract.go are
// the same for Rust and Go). A contender is run as `prog --workers N --size S --repeat R` and
// prints one line of JSON for every measured value of every repetition:
//     {"value": 12.5, "unit": "ns/op", "answer": 832040, "peak_kib": 9216}
// with a fifth member "metric" where a repetition measures more than one thing. peak_kib is the
// most memory that was resident so far, by Linux' VmHWM; 0 where that is not known. A contender
// verifies nothing, takes no median and drops no warm-up: the harness does that, the same way for
// everyone.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bench {

struct arguments {
    unsigned workers = 1;
    std::uint64_t size = 0;
    unsigned repeat = 1;
};

/// Ends the process with status 2 and a sentence when the arguments are not those of the contract.
inline arguments parse(int argc, char** argv) {
    arguments parsed;
    bool good = argc % 2 == 1;
    for (int i = 1; good && i + 1 < argc; i += 2) {
        const std::uint64_t number = std::strtoull(argv[i + 1], nullptr, 10);
        if (std::strcmp(argv[i], "--workers") == 0) {
            parsed.workers = static_cast<unsigned>(number);
        } else if (std::strcmp(argv[i], "--size") == 0) {
            parsed.size = number;
        } else if (std::strcmp(argv[i], "--repeat") == 0) {
            parsed.repeat = static_cast<unsigned>(number);
        } else {
            good = false;
        }
    }
    if (!good || parsed.workers == 0 || parsed.repeat == 0) {
        std::fprintf(stderr, "usage: %s --workers N --size S --repeat R\n", argv[0]);
        std::exit(2);
    }
    return parsed;
}

/// The most memory that this process had resident so far, in KiB.
inline unsigned long peak_kib() {
    unsigned long peak = 0;
    std::FILE* status = std::fopen("/proc/self/status", "r");
    if (status == nullptr) return 0;
    char line[256];
    while (std::fgets(line, sizeof line, status) != nullptr) {
        if (std::sscanf(line, "VmHWM: %lu", &peak) == 1) break;
    }
    std::fclose(status);
    return peak;
}

/// One measured value. `metric` names it where a repetition prints several.
inline void report(double value, const char* unit, std::uint64_t answer,
                   const char* metric = nullptr) {
    std::printf("{\"value\": %.6g, \"unit\": \"%s\", \"answer\": %llu, \"peak_kib\": %lu", value,
                unit, static_cast<unsigned long long>(answer), peak_kib());
    if (metric != nullptr) std::printf(", \"metric\": \"%s\"", metric);
    std::puts("}");
    std::fflush(stdout);
}

inline double nanoseconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start)
        .count();
}

/// Runs `body() -> answer` once per repetition and reports nanoseconds per operation.
template <class Body>
void measure_per_operation(const arguments& given, std::uint64_t operations, Body&& body) {
    for (unsigned i = 0; i < given.repeat; ++i) {
        const auto start = std::chrono::steady_clock::now();
        const std::uint64_t answer = body();
        report(nanoseconds_since(start) / static_cast<double>(operations), "ns/op", answer);
    }
}

/// Runs `body() -> answer` once per repetition and reports its duration in milliseconds.
template <class Body>
void measure_whole(const arguments& given, Body&& body) {
    for (unsigned i = 0; i < given.repeat; ++i) {
        const auto start = std::chrono::steady_clock::now();
        const std::uint64_t answer = body();
        report(nanoseconds_since(start) / 1e6, "ms", answer);
    }
}

}  // namespace bench
