// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/time/retry.hpp"

#include <algorithm>
#include <stdexcept>

namespace weft::detail {

namespace {

double as_double(nanoseconds delay) noexcept { return static_cast<double>(delay.count()); }

/// Uniform; `high` included only as far as rounding goes.
double between(double low, double high) noexcept {
    const auto bits = static_cast<double>(real_environment::random() >> 11);  // what a double holds
    return low + (high - low) * (bits * 0x1p-53);
}

const retry_policy& checked(const retry_policy& policy) {
    if (policy.attempts == 0) throw std::invalid_argument("weft: a retry makes at least one call");
    if (policy.first_delay < nanoseconds::zero() || policy.max_delay < nanoseconds::zero())
        throw std::invalid_argument("weft: the delays of a retry are not negative");
    if (!(policy.factor >= 1))  // nor is it NaN
        throw std::invalid_argument("weft: the delays of a retry do not shrink: factor >= 1");
    if (policy.jitter > retry_jitter::decorrelated)
        throw std::invalid_argument("weft: a jitter is none, full, equal or decorrelated");
    return policy;
}

}  // namespace

retry_delays::retry_delays(const retry_policy& policy)
    : policy_(checked(policy)),
      step_(as_double(std::min(policy.first_delay, policy.max_delay))),
      before_(step_) {}

nanoseconds retry_delays::next() noexcept {
    const double longest = as_double(policy_.max_delay);
    const double step = step_;
    step_ = std::min(longest, step * policy_.factor);
    double delay = step;
    switch (policy_.jitter) {
        case retry_jitter::none:
            break;
        case retry_jitter::full:
            delay = between(0, step);
            break;
        case retry_jitter::equal:
            delay = between(step / 2, step);
            break;
        case retry_jitter::decorrelated:
            delay = std::min(longest, between(as_double(policy_.first_delay), 3 * before_));
            break;
    }
    before_ = delay;
    // The longest of nanoseconds, as a double, is one more than that.
    return delay >= as_double(nanoseconds::max()) ? nanoseconds::max()
                                                  : nanoseconds{static_cast<std::int64_t>(delay)};
}

}  // namespace weft::detail
