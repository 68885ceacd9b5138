// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What network operations report. Failures of system calls keep their errno in
// std::system_category(); the few failures that have no errno are in net_category().
#pragma once

#include <cstddef>
#include <string>
#include <system_error>

namespace weft::net {

enum class net_errc {
    /// The peer closed before as many bytes came as were asked for.
    end_of_stream = 1,
};

[[nodiscard]] const std::error_category& net_category() noexcept;
[[nodiscard]] std::error_code make_error_code(net_errc error) noexcept;

/// Thrown by read_exactly when the peer closed early. The bytes that came are in the caller's
/// buffer and are counted by partial().
class incomplete_read_error : public std::system_error {
public:
    incomplete_read_error(std::size_t partial, std::size_t expected);
    [[nodiscard]] std::size_t partial() const noexcept { return partial_; }
    [[nodiscard]] std::size_t expected() const noexcept { return expected_; }

private:
    std::size_t partial_;
    std::size_t expected_;
};

}  // namespace weft::net

template <>
struct std::is_error_code_enum<weft::net::net_errc> : std::true_type {};
