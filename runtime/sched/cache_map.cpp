// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Facts: cpu<n>/cache/index<i>/ has a file `level`, a file `type` (Data, Instruction, Unified) and
// a file `shared_cpu_list` such as "0-7,64-71", which names the cpus that are online. A cpu that is
// offline has no folder `cache`; in some containers and virtual machines none has.

#include "sched/cache_map.hpp"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

namespace weft::detail {

namespace {

constexpr unsigned most_cpus = 8192;  // that Linux can be built for
constexpr unsigned most_caches = 16;  // of one cpu; there are four or five
constexpr const char* folder_of_cpus = "/sys/devices/system/cpu";

std::string first_line(const std::string& path) {
    std::ifstream file{path};
    std::string line;
    std::getline(file, line);
    return line;
}

std::optional<unsigned> take_number(std::string_view& text) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || value >= most_cpus) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

bool take_char(std::string_view& text, char wanted) {
    if (!text.starts_with(wanted)) return false;
    text.remove_prefix(1);
    return true;
}

/// "0-3,8": first and last of each range. Empty if it is no such list.
std::vector<std::pair<unsigned, unsigned>> parse_list(std::string_view text) {
    std::vector<std::pair<unsigned, unsigned>> ranges;
    for (;;) {
        const auto first = take_number(text);
        const auto last = first && take_char(text, '-') ? take_number(text) : first;
        if (!last || *last < *first) return {};
        ranges.emplace_back(*first, *last);
        if (text.empty()) return ranges;
        if (!take_char(text, ',')) return {};
    }
}

/// Those who share the L3 of the cpu with this folder, in ranges.
std::vector<std::pair<unsigned, unsigned>> sharers(const std::string& cpu) {
    for (unsigned i = 0; i < most_caches; ++i) {
        const std::string cache = cpu + "/cache/index" + std::to_string(i);
        const std::string level = first_line(cache + "/level");
        if (level.empty()) return {};
        if (level != "3" || first_line(cache + "/type") == "Instruction") continue;
        return parse_list(first_line(cache + "/shared_cpu_list"));
    }
    return {};
}

}  // namespace

cache_map::cache_map(const std::string& root, std::span<const unsigned> cpus) {
    std::vector<std::uint16_t> groups;
    std::uint16_t count = 0;
    for (const unsigned cpu : cpus) {
        if (cpu >= most_cpus) return;
        if (groups.size() <= cpu) groups.resize(cpu + 1, no_group);
        if (groups[cpu] != no_group) continue;  // one that shares its L3 has named it
        for (const auto& [first, last] : sharers(root + "/cpu" + std::to_string(cpu))) {
            if (groups.size() <= last) groups.resize(last + 1, no_group);
            std::fill(groups.begin() + first, groups.begin() + last + 1, count);
        }
        if (groups[cpu] != count) return;  // nothing, or a list without the cpu itself
        ++count;
    }
    if (count < 2 || count == cpus.size()) return;  // nobody has neighbours
    groups_ = std::move(groups);
    count_ = count;
}

cache_map cache_map::of_this_thread() {
    cpu_set_t allowed;  // with more than 1024 cpus the call fails: one group
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return {};
    struct last_read {
        std::mutex mutex;
        cpu_set_t allowed{};
        cache_map map;
    };
    static auto& known = *new last_read;  // never destroyed: a runtime may begin during exit
    const std::lock_guard guard{known.mutex};
    if (CPU_EQUAL(&known.allowed, &allowed) == 0) {
        std::vector<unsigned> cpus;
        for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
            if (CPU_ISSET(cpu, &allowed)) cpus.push_back(cpu);
        }
        known.map = cache_map(folder_of_cpus, cpus);
        known.allowed = allowed;
    }
    return known.map;
}

unsigned current_cpu() noexcept {
    const int cpu = sched_getcpu();
    return cpu < 0 ? 0 : static_cast<unsigned>(cpu);
}

}  // namespace weft::detail
