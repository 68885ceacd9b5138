// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The numbers of fairness: how long a worker stays with one kind of work while other work waits.
// docs/architecture.md says what follows from them, tests/unit/sched/starvation_test.cpp computes
// the same bounds and holds the loop to them on a virtual clock.
#pragma once

#include <cstdint>

#include "weft/model/environment.hpp"

namespace weft::detail::fairness {

/// Runnables from the run-next slot in a row.
inline constexpr std::uint32_t slot_limit = 3;
/// Latency tasks in a row.
inline constexpr std::uint32_t latency_limit = 16;
/// Turns from one look around to the next. Prime, so that it does not beat with a program's own.
inline constexpr std::uint32_t look_interval = 61;
/// A look at descriptors is a system call: at most one in this time while there is work.
inline constexpr nanoseconds poll_interval{20'000};
/// Forked children from one look around to the next.
inline constexpr std::uint32_t forks_per_look = 1024;

/// Awaits that did not suspend, before the task gives way to what is ready.
inline constexpr std::uint32_t ready_awaits_per_run = 128;

/// Whatever else is ready: within so many turns the oldest normal task of a worker has one, and so
/// has, in turns, the oldest that came from outside and a background task that is due.
inline constexpr std::uint32_t longest_round = look_interval + 1 + latency_limit;

inline constexpr std::uint32_t background_forks_per_turn = 16;
/// Of forks, before another background task has its turn.
inline constexpr std::uint32_t background_portions = 64;
/// After a background run that took t the next one is due this many t later.
inline constexpr int background_share = 128;
inline constexpr nanoseconds longest_background_pause{1'000'000'000};

}  // namespace weft::detail::fairness
