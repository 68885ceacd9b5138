// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/time/time_limit.hpp"

namespace weft::detail {

resolved_limit resolve(time_limit limit) noexcept {
    if (limit.kind_ == time_limit::kind::after) [[likely]] {
        const time_point now = real_environment::now();
        if (limit.value_ >= time_point::max() - now) return {time_point::max(), false};
        return {now + limit.value_, limit.value_ == nanoseconds::zero()};
    }
    if (limit.kind_ == time_limit::kind::never) return {time_point::max(), false};
    const time_point when{limit.value_};
    return {when, when <= real_environment::now()};
}

time_point deadline_of(time_limit limit) noexcept {
    const resolved_limit found = resolve(limit);
    return found.has_passed ? time_point::min() : found.when;
}

}  // namespace weft::detail
