// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A runtime that takes this machine's cpus to share caches as a test wants them to.
#pragma once

#include <sched.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sched/runtime_core.hpp"
#include "support/cpu_tree.hpp"
#include "weft/runtime.hpp"

namespace weft::test {

enum class caches : std::uint8_t {
    one,  ///< all workers are at one L3; there is a second one, where nobody is
    two,  ///< every other cpu is at the second one
};

/// Two groups, with cpus beside the machine's own: groups of one cpu each would not count.
[[nodiscard]] inline detail::cache_map map_of(caches which) {
    cpu_set_t allowed;
    REQUIRE(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
    std::array<std::vector<unsigned>, 2> groups;
    std::vector<unsigned> cpus;
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &allowed) == 0) continue;
        groups[which == caches::two ? cpus.size() % 2 : 0].push_back(cpu);
        cpus.push_back(cpu);
    }
    for (unsigned added = 0; added < 4; ++added) {
        groups[added % 2].push_back(CPU_SETSIZE + added);
        cpus.push_back(CPU_SETSIZE + added);
    }
    cpu_tree tree;
    for (const auto& group : groups) {
        std::string list;
        for (const unsigned cpu : group) list += (list.empty() ? "" : ",") + std::to_string(cpu);
        for (const unsigned cpu : group) tree.add_cpu(cpu, list);
    }
    return {tree.root(), cpus};
}

[[nodiscard]] inline runtime runtime_near(caches which, const runtime_options& options) {
    auto core = std::make_unique<detail::runtime_core>(options, map_of(which));
    return detail::runtime_access::around<runtime>(std::move(core));
}

}  // namespace weft::test
