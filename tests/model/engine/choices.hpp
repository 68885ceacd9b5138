// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Where the decisions of an execution come from. Every nondeterministic step asks here for a number
// below `options`; 0 is always the dull answer (go on, read the newest store). Three sources:
//   depth_first  all sequences of answers, one per execution, the last answer varied first
//   random       a seeded walk; every other execution uses priorities with a few change points
//                (Burckhardt et al., "A randomized scheduler with probabilistic guarantees", 2010)
//   replay       the answers of a choice string
// The answers given are kept, so any execution can be written down as a string and run again.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "knowledge.hpp"

namespace weft::model {

class choice_source {
public:
    enum class strategy { depth_first, random, replay };

    void start_depth_first();
    /// Advances to the next untried sequence; false when all have been tried.
    [[nodiscard]] bool next_depth_first();
    void start_random(std::uint64_t seed);
    void start_replay(std::string_view text);

    [[nodiscard]] std::size_t pick(std::size_t options);
    /// Picks among `threads`: first `runnable` ones that may simply run (the current one first if
    /// it is among them), then blocked ones that may be woken early.
    [[nodiscard]] std::size_t pick_thread(std::span<const std::uint8_t> threads,
                                          std::size_t runnable, bool current_is_first);

    /// Random executions pre-empt at will; so do their replays.
    [[nodiscard]] bool is_bounded() const noexcept { return is_bounded_; }
    [[nodiscard]] bool has_diverged() const noexcept { return diverged_; }
    /// Answers so far: 'r' if not bounded, numbers joined by '.', "zN" for N zeros in a row,
    /// trailing zeros left out.
    [[nodiscard]] std::string text() const;

private:
    struct answer {
        std::uint16_t picked;
        std::uint16_t options;
    };

    [[nodiscard]] std::size_t scripted(std::size_t options);
    [[nodiscard]] std::size_t random_thread(std::span<const std::uint8_t> threads,
                                            std::size_t runnable, bool current_is_first);
    [[nodiscard]] std::size_t highest_priority(std::span<const std::uint8_t> threads,
                                               std::size_t runnable, bool current_is_first);
    std::size_t remember(std::size_t picked, std::size_t options);
    std::uint64_t draw();

    strategy strategy_ = strategy::depth_first;
    engine_vector<answer> answers_;
    std::size_t position_ = 0;
    bool diverged_ = false;
    bool is_bounded_ = true;

    std::uint64_t state_ = 1;
    bool by_priority_ = false;
    std::uint64_t stay_of_eight_ = 0;
    std::uint64_t decisions_per_run_ = 64;
    std::uint64_t decisions_ = 0;
    std::array<std::uint64_t, max_threads> priority_{};
    std::array<std::uint64_t, 3> change_points_{};
};

}  // namespace weft::model
