// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// How many cores this process may use. Facts: cgroup v2 writes "quota period" or "max period" to
// cpu.max; v1 has cpu.cfs_quota_us (-1: none) and cpu.cfs_period_us; a limit of any ancestor holds.

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <thread>

#include "sched/runtime_core.hpp"

namespace weft::detail {

namespace {

unsigned cores_by_affinity() {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) > 0) {
        return static_cast<unsigned>(CPU_COUNT(&allowed));
    }
    return std::max(1u, std::thread::hardware_concurrency());
}

double read_v2(const std::string& folder) {
    std::ifstream file{folder + "/cpu.max"};
    std::string quota;
    double period = 0;
    if (!(file >> quota >> period) || quota == "max" || period <= 0) return INFINITY;
    return std::strtod(quota.c_str(), nullptr) / period;
}

double read_v1(const std::string& folder) {
    double quota = 0;
    double period = 0;
    std::ifstream quota_file{folder + "/cpu.cfs_quota_us"};
    std::ifstream period_file{folder + "/cpu.cfs_period_us"};
    if (!(quota_file >> quota) || !(period_file >> period) || quota <= 0 || period <= 0) {
        return INFINITY;
    }
    return quota / period;
}

template <class Read>
double tightest(const std::string& root, std::string path, Read read) {
    double limit = INFINITY;
    for (;;) {
        limit = std::min(limit, read(root + path));
        auto slash = path.rfind('/');
        if (slash == std::string::npos || path == "/") return limit;
        path.resize(slash);
    }
}

double cores_by_quota() {
    double limit = INFINITY;
    std::ifstream groups{"/proc/self/cgroup"};
    for (std::string line; std::getline(groups, line);) {
        auto first = line.find(':');
        auto second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) continue;
        std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
        std::string path = line.substr(second + 1);
        if (controllers == ",,") {
            limit = std::min(limit, tightest("/sys/fs/cgroup", path, read_v2));
        } else if (controllers.find(",cpu,") != std::string::npos) {
            limit = std::min(limit, tightest("/sys/fs/cgroup/cpu", path, read_v1));
        }
    }
    return limit;
}

}  // namespace

unsigned usable_cores() {
    double quota = std::max(1.0, std::ceil(cores_by_quota()));
    double cores = std::min<double>(cores_by_affinity(), quota);
    return static_cast<unsigned>(std::min<double>(cores, idle_set<real_environment>::worker_limit));
}

}  // namespace weft::detail
