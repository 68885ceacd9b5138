// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "trace/clock.hpp"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cstring>

#include "weft/base/unique_fd.hpp"
#include "weft/trace/ring.hpp"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

namespace weft::detail {

namespace {

std::uint64_t read_clock(clockid_t id) noexcept {
    timespec now{};
    ::clock_gettime(id, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
           static_cast<std::uint64_t>(now.tv_nsec);
}

bool kernel_trusts_tsc() noexcept {
    const unique_fd file(::open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                                O_RDONLY | O_CLOEXEC));
    char name[8] = {};
    return file && ::read(file.get(), name, sizeof name - 1) >= 3 &&
           std::memcmp(name, "tsc", 3) == 0 && (name[3] == '\n' || name[3] == '\0');
}

}  // namespace

bool tick_counter_is_usable() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    unsigned a = 0, b = 0, c = 0, d = 0;
    // Fact: leaf 0x80000007, EDX bit 8 says that the counter neither stops nor changes its rate.
    // Virtual machines may hide it or lie; the kernel has checked more than we can.
    const bool invariant = __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & 1u << 8) != 0;
    return invariant && kernel_trusts_tsc();
#elif defined(__aarch64__)
    return true;  // the generic timer is architecturally constant and global
#else
    return false;
#endif
}

trace::clock_sync read_clocks(bool monotonic_ticks) noexcept {
    trace::clock_sync best;
    std::uint64_t narrowest = ~std::uint64_t{0};
    const auto ticks = [&] {
        return monotonic_ticks ? read_clock(CLOCK_MONOTONIC) : read_tick_counter();
    };
    for (int attempt = 0; attempt < 16; ++attempt) {
        trace::clock_sync reading;
        const std::uint64_t before = ticks();
        reading.monotonic = read_clock(CLOCK_MONOTONIC);
        const std::uint64_t after = ticks();
        if (after - before >= narrowest) continue;
        narrowest = after - before;
        reading.ticks = monotonic_ticks ? reading.monotonic : before + narrowest / 2;
        reading.realtime = read_clock(CLOCK_REALTIME);
        reading.boottime = read_clock(CLOCK_BOOTTIME);
        const std::uint64_t passed = read_clock(CLOCK_MONOTONIC) - reading.monotonic;
        reading.realtime -= passed;  // at most 0.1 us wrong, but for an interrupt in between
        reading.boottime -= passed;
        best = reading;
    }
    return best;
}

}  // namespace weft::detail
