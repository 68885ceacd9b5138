// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Whether a worker that has run out of work should look around for a moment before it sleeps. To
// sleep and be woken costs several microseconds, most of them the waker's (in a virtual machine an
// interrupt to another core leaves the guest), so where work comes back sooner than that, looking
// is cheaper for everybody. Where it does not, looking burns a core for nothing: the last waits
// tell which it is, as in Karlin, Li, Manasse and Owicki, "Empirical studies of competitive
// spinning for a shared-memory multiprocessor" (SOSP 1991).
//
// Confined to its worker.
#pragma once

#include <bit>
#include <chrono>
#include <cstdint>

#include "weft/model/environment.hpp"

namespace weft::detail {

class wait_history {
public:
    /// A worker may look around for `limit` before it sleeps; zero: never.
    explicit wait_history(nanoseconds limit) noexcept : limit_(limit) {}

    /// Out of work, now: until when to look around, if the worker may; `now`: sleep at once.
    [[nodiscard]] time_point begin(time_point now, bool may_linger) noexcept {
        began_ = now;
        const bool pays = std::popcount(recent_) >= enough_short && now >= suspended_until_;
        lingers_ = may_linger && pays;
        return lingers_ ? now + limit_ : now;
    }

    /// One look around took from `before` to `now` and found nothing. A long one means that
    /// somebody else had the core: there are not enough for all, and a worker that looks around
    /// keeps others from theirs.
    void note_look(time_point before, time_point now) noexcept {
        if (now - before > longest_look) suspended_until_ = now + suspension;
    }

    /// There is work again, found while looking around.
    void end_awake() noexcept { note(true); }
    /// No more looking around; if there was any, it was in vain.
    void end_looking() noexcept {
        if (lingers_) note(false);
    }
    /// There is work again, and the worker slept until it came.
    void end_asleep(time_point now) noexcept {
        if (!lingers_) note(now - began_ <= limit_ + wake_up);
    }

private:
    static constexpr int enough_short = 6;  // of sixteen
    static constexpr nanoseconds wake_up{10'000};
    static constexpr nanoseconds longest_look{100'000};
    static constexpr nanoseconds suspension{10'000'000};

    void note(bool was_short) noexcept {
        recent_ = static_cast<std::uint16_t>((recent_ << 1) | (was_short ? 1 : 0));
    }

    nanoseconds limit_;
    time_point began_{};
    time_point suspended_until_{};
    std::uint16_t recent_ = 0;
    bool lingers_ = false;
};

}  // namespace weft::detail
