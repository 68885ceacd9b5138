// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Which cpus share an L3, as sysfs tells it. Where it tells nothing, or nothing that makes sense,
// all are one group: a wrong map costs time, and no map costs what there was to gain.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace weft::detail {

class cache_map {
public:
    /// That of a cpu which is not in the map.
    static constexpr std::uint16_t no_group = UINT16_MAX;

    /// One group.
    cache_map() = default;
    /// The groups of `cpus`, ascending; `root` is the folder of their folders cpu0, cpu1 and so on.
    /// One group where no two of them share an L3. Throws std::bad_alloc.
    cache_map(const std::string& root, std::span<const unsigned> cpus);
    /// Of the cpus that the calling thread may run on; sysfs is read again only if those have
    /// changed since the last call in this process. Throws std::bad_alloc.
    [[nodiscard]] static cache_map of_this_thread();

    [[nodiscard]] unsigned group_count() const noexcept { return count_; }
    /// Below group_count(), or no_group.
    [[nodiscard]] std::uint16_t group_of(unsigned cpu) const noexcept {
        return cpu < groups_.size() ? groups_[cpu] : no_group;
    }

private:
    std::vector<std::uint16_t> groups_;  // by cpu; empty where there is one group
    unsigned count_ = 1;
};

/// Where the calling thread runs just now.
[[nodiscard]] unsigned current_cpu() noexcept;

}  // namespace weft::detail
