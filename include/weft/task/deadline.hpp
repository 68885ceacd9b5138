// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Points in time from what callers give: durations of any kind, which may be longer than the clock
// can tell, negative, or no number.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <concepts>

#include "weft/model/environment.hpp"

namespace weft::detail {

/// `delay` rounded up; the ends of the clock's range for what is beyond. Throws
/// std::invalid_argument for what is not a number.
template <class Rep, class Period>
[[nodiscard]] nanoseconds to_signed_nanoseconds(std::chrono::duration<Rep, Period> delay);
/// The same, zero for what is negative.
template <class Rep, class Period>
[[nodiscard]] nanoseconds to_nanoseconds(std::chrono::duration<Rep, Period> delay);

/// When `delay` has passed: time_point::min() if it has already, time_point::max() for "never".
[[nodiscard]] time_point deadline_after(nanoseconds delay) noexcept;
/// The point itself, also one in the past; time_point::max() for "never".
[[nodiscard]] time_point point_after(nanoseconds delay) noexcept;

// ---------------------------------------------------------------------------------------------

[[noreturn]] void throw_not_a_duration();

template <class Rep, class Period>
nanoseconds to_signed_nanoseconds(std::chrono::duration<Rep, Period> delay) {
    using seconds = std::chrono::duration<double>;
    if constexpr (std::floating_point<Rep>) {
        if (std::isnan(delay.count())) throw_not_a_duration();
    }
    // The clock's range is 292 years; compare as floating point before an integer can overflow.
    if (seconds(delay) >= seconds(9.2e9)) return nanoseconds::max();
    if (seconds(delay) <= seconds(-9.2e9)) return nanoseconds::min();
    return std::chrono::ceil<nanoseconds>(delay);
}

template <class Rep, class Period>
nanoseconds to_nanoseconds(std::chrono::duration<Rep, Period> delay) {
    return std::max(to_signed_nanoseconds(delay), nanoseconds::zero());
}

}  // namespace weft::detail
