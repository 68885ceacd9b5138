// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What a model test may ask of the checker, and what it gets back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string>
#include <vector>

namespace weft::model {

enum class memory_model {
    weak,        // loads may be stale as far as C++ allows it; see knowledge.hpp
    sequential,  // every load reads the newest store: misses every missing fence
};

/// A negative control without a hook in the code: one call site's order becomes relaxed.
struct order_probe {
    /// The sites met so far whose order is not relaxed, each once.
    std::vector<std::source_location> met;
    /// Index into `met` of the site to weaken; none if out of range.
    std::size_t weakened = SIZE_MAX;
};

struct options {
    memory_model memory = memory_model::weak;
    /// False models a kernel without membarrier(2): both fences of the pair are seq_cst fences.
    bool is_asymmetric = true;

    // Bounds of one execution under depth-first search; a random one pre-empts at will.
    std::size_t preemptions = 2;
    std::size_t stale_loads = 2;     // loads that do not read the newest store; weak CAS failures
    std::size_t stale_depth = 3;     // how many stores back
    std::size_t spurious_wakes = 1;  // futex waits that return for no reason
    std::size_t early_timeouts = 0;  // deadlines that pass while other threads could still run
    std::size_t step_limit = 6000;   // more means livelock; from the half on scheduling is fair

    // Effort. WEFT_MODEL_BUDGET (a factor, 1 when unset) multiplies both numbers.
    std::size_t random_executions = 2000;
    std::size_t exhaustive_executions = 300'000;  // 0 = no depth-first search
    std::uint64_t seed = 1;

    bool finds_leaks = true;
    order_probe* probe = nullptr;
};

struct result {
    std::size_t executions = 0;
    bool failed = false;
    /// Depth-first search ended within its bounds: nothing is left to try.
    bool complete = false;
    std::string message;
    std::string choice_string;
    /// The failing execution, one operation per line; also what replay() returns.
    std::string trace;

    explicit operator bool() const noexcept { return !failed; }
    /// Everything a person needs, for a test's INFO.
    [[nodiscard]] std::string report() const;
};

inline std::string result::report() const {
    std::string text = std::to_string(executions) + " executions";
    text += complete ? ", all within the bounds" : ", bounds not exhausted";
    if (!failed) return text;
    return text + "\nfailure: " + message + "\nreplay(\"" + choice_string + "\")\n" + trace;
}

}  // namespace weft::model
