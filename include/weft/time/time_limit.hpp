// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// time_limit: until when something may take, in whatever form the caller has it.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>

#include "weft/task/deadline.hpp"

namespace weft {

class time_limit;

namespace detail {

struct resolved_limit {
    time_point when;  // time_point::max(): never
    bool has_passed;
};
/// Durations count from now.
[[nodiscard]] resolved_limit resolve(time_limit limit) noexcept;
/// The same in one: time_point::min() if it has passed.
[[nodiscard]] time_point deadline_of(time_limit limit) noexcept;

}  // namespace detail

/// A duration, a point in time of the monotonic clock, or std::nullopt for no limit; also a
/// std::optional of one of these. Every function that takes a limit takes all of them, and says
/// from when a duration counts. A duration of zero or less, or a time that has passed, is over at
/// once; one beyond the clock's range is no limit.
class time_limit {
public:
    time_limit(std::nullopt_t /*never*/) noexcept {}
    /// Throws std::invalid_argument for a duration that is not a number.
    template <class Rep, class Period>
    time_limit(std::chrono::duration<Rep, Period> limit)
        : kind_(kind::after), value_(detail::to_nanoseconds(limit)) {}
    template <class Duration>
    time_limit(std::chrono::time_point<std::chrono::steady_clock, Duration> deadline)
        : kind_(kind::at), value_(detail::to_nanoseconds(deadline.time_since_epoch())) {}
    template <std::convertible_to<time_limit> Limit>
    time_limit(const std::optional<Limit>& limit)
        : time_limit(limit.has_value() ? time_limit(*limit) : time_limit(std::nullopt)) {}

private:
    friend detail::resolved_limit detail::resolve(time_limit limit) noexcept;
    enum class kind : std::uint8_t { never, after, at };

    kind kind_ = kind::never;
    detail::nanoseconds value_{0};  // a duration, or since the clock's epoch
};

}  // namespace weft
