// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// retry: calls a coroutine function again after a failure, each time after a longer delay.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <type_traits>
#include <utility>

#include "weft/task/awaitable.hpp"
#include "weft/time/sleep.hpp"

namespace weft {

/// How a delay is spread, so that those who failed together do not come back together. The names
/// are those of "Exponential Backoff And Jitter" (M. Brooker, AWS Architecture Blog, 2015); `step`
/// is min(max_delay, first_delay * factor^k) before the call k + 2.
enum class retry_jitter : std::uint8_t {
    none,          ///< step
    full,          ///< anything between 0 and step
    equal,         ///< anything between step / 2 and step
    decorrelated,  ///< between first_delay and 3 times the delay before, at most max_delay
};

/// Trivially destructible members only, as in task_options.
struct retry_policy {
    static constexpr std::uint32_t unlimited = std::numeric_limits<std::uint32_t>::max();

    /// Calls in all, at least 1.
    std::uint32_t attempts = 5;
    std::chrono::nanoseconds first_delay = std::chrono::milliseconds{100};
    /// At least 1.
    double factor = 2;
    std::chrono::nanoseconds max_delay = std::chrono::seconds{30};
    retry_jitter jitter = retry_jitter::full;
};

namespace detail {

/// The delays of one retry, one after the other.
class retry_delays {
public:
    /// Throws std::invalid_argument for a policy that makes no sense.
    explicit retry_delays(const retry_policy& policy);
    [[nodiscard]] std::chrono::nanoseconds next() noexcept;

private:
    retry_policy policy_;
    double step_;    // in nanoseconds
    double before_;  // the delay before, in nanoseconds
};

struct retry_any_exception {
    bool operator()(const std::exception& /*error*/) const noexcept { return true; }
};

template <class F, class RetryOn>
coro<awaited_value_t<std::invoke_result_t<F&>>> run_again(retry_delays delays, std::uint32_t left,
                                                          F function, RetryOn retry_on) {
    for (;;) {
        try {
            co_return co_await std::invoke(function);
        } catch (const std::exception& error) {
            if (--left == 0 || !std::invoke(retry_on, error)) throw;
        }
        co_await sleep(delays.next());
    }
}

}  // namespace detail

/// Calls `function()` and awaits what it gives, until that does not fail, and gives its value.
/// After a failure it waits, as `policy` says, and calls again; the last failure is thrown, as is
/// one of which `retry_on(error)` says false. `retry_on` takes a `const std::exception&`; left out,
/// every one is retried. What is no std::exception is thrown at once, `cancelled` above all:
/// cancellation ends the call, or the wait, under way.
///
/// Both callables are copied or moved into the coro that this is, and live as long. Each delay is a
/// suspension, however short. For a limit on all of it write `wait_for(retry(...), limit)`; for one
/// on each call let the function do it. Throws std::invalid_argument for a policy without attempts,
/// with a negative delay, or with a factor below 1.
template <class F, std::predicate<const std::exception&> RetryOn = detail::retry_any_exception>
    requires awaitable<std::invoke_result_t<std::decay_t<F>&>>
[[nodiscard]] auto retry(const retry_policy& policy, F&& function, RetryOn retry_on = {}) {
    return detail::run_again<std::decay_t<F>, RetryOn>(detail::retry_delays{policy},
                                                       policy.attempts, std::forward<F>(function),
                                                       std::move(retry_on));
}

}  // namespace weft
