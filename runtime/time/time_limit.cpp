// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/time/time_limit.hpp"

namespace weft::detail {

resolved_limit resolve(const time_limit& limit) noexcept {
    constexpr resolved_limit never{time_point::max(), false};
    if (limit.kind_ == time_limit::kind::never || limit.value_ == nanoseconds::max()) return never;
    const time_point now = real_environment::now();
    if (limit.kind_ == time_limit::kind::at) {
        const time_point when{limit.value_};
        return {when, when <= now};
    }
    if (limit.value_ >= time_point::max() - now) return never;
    return {now + limit.value_, limit.value_ == nanoseconds::zero()};
}

}  // namespace weft::detail
