// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// When tasks were created, to within an eighth of their age, without a clock reading or a word for
// each: ids grow with time, so it is enough that a worker notes, when it has read the clock anyway,
// which id comes next. Notes are thinned out as they get older, so their number is bounded.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>

#include "weft/model/environment.hpp"

namespace weft::detail {

class birth_times {
public:
    /// Its worker: every id below `own` that it gives has been given, and every one below `all`
    /// that anybody gives has been given, or belongs to a worker.
    void note(std::uint64_t own, std::uint64_t all, time_point now) noexcept {
        if (!is_new(own, all)) return;
        last_own_ = own;
        last_all_ = all;
        std::lock_guard guard{mutex_};
        if (count_ == room) thin_out(now);
        notes_[count_++] = {own, all, now};
    }
    /// Its worker.
    [[nodiscard]] bool is_new(std::uint64_t own, std::uint64_t all) const noexcept {
        return own != last_own_ || all != last_all_;
    }

    /// Any thread: when `id`, which this worker gave, had been given; empty: since the last note.
    [[nodiscard]] std::optional<time_point> own(std::uint64_t id) const noexcept {
        return find(id, &birth::own);
    }
    /// The same for an id that was given to no worker.
    [[nodiscard]] std::optional<time_point> foreign(std::uint64_t id) const noexcept {
        return find(id, &birth::all);
    }

private:
    struct birth {
        std::uint64_t own, all;
        time_point at;
    };
    // A note every 20 us at most, and an eighth of the age apart later on: 8 ln(10 years / 20 us)
    // are 270 of them.
    static constexpr std::size_t room = 320;

    [[nodiscard]] std::optional<time_point> find(std::uint64_t id,
                                                 std::uint64_t birth::* which) const noexcept {
        std::lock_guard guard{mutex_};
        const std::span noted{notes_.data(), count_};
        const auto found = std::ranges::upper_bound(noted, id, {}, which);
        if (found == noted.end()) return std::nullopt;
        return found->at;
    }
    /// Drops a note where the one before and the one after are near enough to each other.
    void thin_out(time_point now) noexcept {
        std::size_t kept = 1;
        for (std::size_t i = 1; i + 1 < count_; ++i) {
            const birth& after = notes_[i + 1];
            if ((after.at - notes_[kept - 1].at) * 8 > now - after.at) notes_[kept++] = notes_[i];
        }
        if (kept + 1 == room) kept = room / 2;  // a clock that jumped: the newest are dropped
        notes_[kept++] = notes_[count_ - 1];
        count_ = kept;
    }

    mutable std::mutex mutex_;
    std::array<birth, room> notes_;  // guarded by mutex_; in the order of time
    std::size_t count_ = 0;          // guarded by mutex_
    std::uint64_t last_own_ = 0;     // the worker's own, as the next
    std::uint64_t last_all_ = 0;
};

}  // namespace weft::detail
