// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The machine under the workers: which cores share a cache, where a line is and what it costs to
// get it, and the kernel's membarrier.
#pragma once

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <vector>

#include "costs.hpp"
#include "engine.hpp"

namespace scaling {

constexpr std::size_t core_limit = 257;  // 256 workers and one foreign thread
using core_set = std::bitset<core_limit>;

/// A cache line. A reader gets a copy, a writer the only one; either takes time by distance, and
/// who comes while another one is served waits.
struct shared_line {
    double free_at = 0;
    int holder = -1;  // who wrote last
    core_set copies;
    double waited = 0;  // by all, for this line, queueing and transfer
};

class machine {
public:
    machine(engine& clock, const costs& cost, int cores, int l3_cores, int socket_cores)
        : clock_(clock), cost_(cost), l3_cores_(l3_cores), socket_cores_(socket_cores) {
        near_.resize(static_cast<std::size_t>(cores));
        socket_.resize(near_.size());
        for (int a = 0; a < cores; ++a) {
            for (int b = 0; b < cores; ++b) {
                near_[at(a)][at(b)] = l3_of(a) == l3_of(b);
                socket_[at(a)][at(b)] = a / socket_cores_ == b / socket_cores_;
            }
        }
    }

    [[nodiscard]] int l3_of(int core) const { return core / l3_cores_; }
    /// Whether the workers' cores, all but the foreign thread's, share more than one L3.
    [[nodiscard]] bool has_groups() const { return static_cast<int>(near_.size()) - 1 > l3_cores_; }
    [[nodiscard]] double distance(int from, int to) const {
        if (from == to || from < 0) return 0;
        if (l3_of(from) == l3_of(to)) return cost_.line_near;
        return from / socket_cores_ == to / socket_cores_ ? cost_.line_far : cost_.line_remote;
    }

    /// The time that `core` waits for a read of the line that begins now.
    double read(shared_line& line, int core) {
        if (line.copies[at(core)]) return cost_.cached_read;
        // The first reader after a write takes it from the writer, the others from a cache nearby.
        const bool first = line.copies.none() || (line.holder >= 0 && only_copy(line, line.holder));
        double way = distance(line.holder, core);
        if ((line.copies & near_[at(core)]).any()) way = std::min(way, cost_.line_near);
        const double begin = std::max(clock_.now(), line.free_at);
        line.free_at = begin + way * (first ? cost_.first_share : cost_.read_share);
        line.copies.set(at(core));
        const double taken = begin - clock_.now() + way;
        line.waited += taken;
        return taken + cost_.cached_read;
    }
    /// The same for an atomic read-modify-write.
    double change(shared_line& line, int core) { return own(line, core) + cost_.local_rmw; }
    /// The same for a plain store, most of which the store buffer hides.
    double store(shared_line& line, int core) {
        if (line.holder == core && line.copies.none()) return 0;
        return own(line, core) * cost_.store_share;
    }

private:
    static std::size_t at(int core) { return static_cast<std::size_t>(core); }

    double own(shared_line& line, int core) {
        if (line.holder == core && (line.copies.none() || only_copy(line, core))) return 0;
        double way = distance(line.holder, core);
        const core_set& copies = line.copies;
        if ((copies & ~socket_[at(core)]).any()) {
            way = std::max(way, cost_.line_remote);
        } else if ((copies & ~near_[at(core)]).any()) {
            way = std::max(way, cost_.line_far);
        } else if (copies.count() > (copies[at(core)] ? 1U : 0U)) {
            way = std::max(way, cost_.line_near);
        }
        const double begin = std::max(clock_.now(), line.free_at);
        line.free_at = begin + way;
        line.holder = core;
        line.copies.reset();
        line.copies.set(at(core));
        line.waited += begin + way - clock_.now();
        return begin + way - clock_.now();
    }
    static bool only_copy(const shared_line& line, int core) {
        return line.copies[at(core)] && line.copies.count() == 1;
    }

    engine& clock_;
    const costs& cost_;
    int l3_cores_;
    int socket_cores_;
    std::vector<core_set> near_;    // by core: those of its L3
    std::vector<core_set> socket_;  // by core: those of its socket
};

}  // namespace scaling
