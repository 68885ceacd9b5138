// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/model/environment.hpp"

#include <cerrno>
#include <ctime>
#include <exception>
#include <random>

#if defined(__linux__)
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#error "futex and membarrier are ported to Linux only; see docs/architecture.md, Platforms"
#endif

namespace weft::detail {

bool real_environment::asymmetric_fence_ = false;
time_point (*real_environment::clock_)() noexcept = nullptr;
std::uint64_t (*real_environment::random_)() noexcept = nullptr;

namespace {

constinit std::atomic<std::uint64_t> random_state{0};

std::uint64_t random_seed() noexcept {
    try {
        std::random_device device;
        return std::uint64_t{device()} << 32 | device();
    } catch (const std::exception&) {
        return static_cast<std::uint64_t>(
            std::chrono::steady_clock::now().time_since_epoch().count());
    }
}

bool registers_membarrier() noexcept {
    const long query = ::syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    if (query < 0 || (query & MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0) return false;
    return ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

}  // namespace

/// splitmix64 (G. Steele, D. Lea, C. Flood, 2014): a count, well mixed.
std::uint64_t real_environment::random() noexcept {
    if (random_ != nullptr) return random_();
    constexpr std::uint64_t step = 0x9e3779b97f4a7c15u;
    std::uint64_t bits = random_state.fetch_add(step, std::memory_order_relaxed) + step;  // no edge
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
    return bits ^ (bits >> 31);
}

void real_environment::initialise() noexcept {
    [[maybe_unused]] static const bool once = [] {
        random_state.store(random_seed(), std::memory_order_relaxed);  // no edge
        asymmetric_fence_ = registers_membarrier();
        return true;
    }();
}

void real_environment::heavy_fence() noexcept {
    if (asymmetric_fence_) {
        // Fact: a registered process cannot be refused; a failure would mean lost wake-ups.
        if (::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0) return;
    }
    seq_cst_fence();
}

bool real_environment::futex_wait(atomic<std::uint32_t>& word, std::uint32_t expected,
                                  time_point deadline) noexcept {
    timespec until{};
    timespec* limit = nullptr;
    if (deadline != time_point::max()) {
        auto since_boot = deadline.time_since_epoch();
        if (since_boot.count() < 0) since_boot = nanoseconds{0};
        auto whole = std::chrono::duration_cast<std::chrono::seconds>(since_boot);
        until.tv_sec = static_cast<time_t>(whole.count());
        until.tv_nsec = static_cast<long>((since_boot - whole).count());
        limit = &until;
    }
    // FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC deadline, which is what steady_clock
    // reads.
    long result = ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word),
                            FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected, limit, nullptr,
                            FUTEX_BITSET_MATCH_ANY);
    return !(result == -1 && errno == ETIMEDOUT);
}

void real_environment::futex_wake(atomic<std::uint32_t>& word, int count) noexcept {
    ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word),
              FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, count, nullptr, nullptr,
              FUTEX_BITSET_MATCH_ANY);
}

}  // namespace weft::detail
