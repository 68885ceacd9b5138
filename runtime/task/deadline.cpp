// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/deadline.hpp"

#include <stdexcept>

namespace weft::detail {

void throw_not_a_duration() {
    throw std::invalid_argument("weft: a delay must be a number, not NaN");
}

time_point deadline_after(nanoseconds delay) noexcept {
    return delay <= nanoseconds::zero() ? time_point::min() : point_after(delay);
}

time_point point_after(nanoseconds delay) noexcept {
    const time_point now = real_environment::now();  // not negative: only the upper end can be met
    return delay >= time_point::max() - now ? time_point::max() : now + delay;
}

}  // namespace weft::detail
