// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Near which L3 each worker was when it last looked for work, so that a thief finds its neighbours.
// Workers are not pinned, so each notes its place when it begins, when it wakes up and whenever it
// searches, and at no other time.
//
// Protocol: worker places                        checked by: tests/unit/sched/cache_map_test.cpp
// Roles      worker w (writes places_[w] only) · thief (any worker, reads all)
// Words      places_[w] the group of the cache map in which w was last seen, or that of no cpu
// Edges      none: a hint. A worker in a wrong place is looked at as the far ones are, in the pass
//            over all.
// Rejected   asking the kernel at each task (4 ns each); pinning: a program beside this one may
//            want the core.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "sched/cache_map.hpp"
#include "weft/model/environment.hpp"
#include "weft/park/idle_set.hpp"

namespace weft::detail {

class worker_places {
public:
    /// `map` is for the cpus that the workers run on. Throws std::bad_alloc.
    worker_places(std::size_t workers, cache_map map)
        : map_(std::move(map)),
          places_(has_groups() ? std::make_unique<word[]>(workers) : nullptr) {
        if (!has_groups()) return;
        for (std::size_t w = 0; w < workers; ++w)
            places_[w].store(cache_map::no_group, std::memory_order_relaxed);  // not shared yet
    }

    /// Whether places differ at all; only then may the others be called.
    [[nodiscard]] bool has_groups() const noexcept { return map_.group_count() > 1; }
    /// Worker `w`, which runs on `cpu`: where that is.
    std::uint16_t note(std::size_t w, unsigned cpu) noexcept {
        const std::uint16_t now = map_.group_of(cpu);
        word& known = places_[w];
        // Written when it changes only: others have copies of the line.
        if (known.load(std::memory_order_relaxed) != now)  // its own
            known.store(now, std::memory_order_relaxed);   // a hint: no edge
        return now;
    }
    /// Any worker.
    [[nodiscard]] std::uint16_t place_of(std::size_t w) const noexcept {
        return places_[w].load(std::memory_order_relaxed);  // a hint: no edge
    }

private:
    using word = real_environment::atomic<std::uint16_t>;

    cache_map map_;
    std::unique_ptr<word[]> places_;
};

/// A way past all workers but one.
struct round_trip {
    std::size_t count;  ///< of all
    std::size_t start;  ///< any number
    std::size_t self;   ///< left out
};

/// Visits the others, each once, until `visit(index)` gives something; returns that.
template <class Visit>
auto visit_others(round_trip way, Visit visit) -> decltype(visit(std::size_t{0})) {
    for (std::size_t i = 0; i < way.count; ++i) {
        const std::size_t w = (way.start + i) % way.count;
        if (w == way.self) continue;
        if (auto found = visit(w)) return found;
    }
    return {};
}

/// The same with those of them that are near `place`; `start` counts these alone. The first of all
/// from a place on would be the same one for most: neighbours have numbers side by side.
template <class Visit>
auto visit_near(const worker_places& places, std::uint16_t place, round_trip way, Visit visit)
    -> decltype(visit(std::size_t{0})) {
    if (place == cache_map::no_group) return {};
    std::array<std::uint8_t, idle_set<real_environment>::worker_limit> near;
    std::size_t count = 0;
    for (std::size_t w = 0; w < way.count; ++w) {
        if (w != way.self && places.place_of(w) == place)
            near[count++] = static_cast<std::uint8_t>(w);
    }
    for (std::size_t i = 0; i < count; ++i) {
        if (auto found = visit(std::size_t{near[(way.start + i) % count]})) return found;
    }
    return {};
}

}  // namespace weft::detail
