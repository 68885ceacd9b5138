// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Whether a worker calls a peer for what one look at timers and descriptors has woken. A call costs
// several microseconds, most of them the caller's, and the peer takes a core that the other end of
// the connection may be running on. Where a run takes less than that, the worker is through with a
// batch before the peer has come. So a batch is announced at once only if it is large or the last
// runs were long, else once it has waited for a while.
//
// Confined to its worker.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "weft/model/environment.hpp"

namespace weft::detail {

class batch_history {
public:
    /// The worker was busy until `now`, and has made `runs` runs in its life.
    void end_busy(time_point now, std::uint64_t runs) noexcept {
        if (runs == runs_) return;
        is_short_ = now - busy_since_ < static_cast<std::int64_t>(runs - runs_) * short_run;
        begin_busy(now, runs);
    }
    /// It is busy from `now` on: what came before was a wait.
    void begin_busy(time_point now, std::uint64_t runs) noexcept {
        busy_since_ = now;
        runs_ = runs;
    }

    /// One run has been going on for long.
    void note_long_run() noexcept { is_short_ = false; }

    /// A look wakes something, and `ready` runnables are ready here now: whether the call of a peer
    /// is put off.
    [[nodiscard]] bool put_off(std::size_t ready) noexcept {
        if (!is_short_ || ready > largest) return false;
        if (owes_call_) return true;
        const time_point now = real_environment::now();
        if (now < suspended_until_) return false;
        due_ = now + patience;
        owes_call_ = true;
        return true;
    }
    [[nodiscard]] bool owes_call() const noexcept { return owes_call_; }
    /// Before a run, while a call is owed: whether it is due now. `is_offering`: there is still
    /// something to call for.
    [[nodiscard]] bool take_due(bool is_offering) noexcept {
        const time_point now = real_environment::now();
        if (is_offering && now < due_) return false;
        // A long run among short ones has kept the others waiting: no more of that for a while.
        if (now - due_ > patience) suspended_until_ = now + suspension;
        owes_call_ = false;
        return is_offering;
    }

private:
    static constexpr nanoseconds short_run{10'000};
    static constexpr nanoseconds patience{50'000};
    static constexpr nanoseconds suspension{10'000'000};
    static constexpr std::size_t largest = 32;

    time_point busy_since_{};
    time_point due_{};
    time_point suspended_until_{};
    std::uint64_t runs_ = 0;
    bool is_short_ = false;
    bool owes_call_ = false;
};

}  // namespace weft::detail
