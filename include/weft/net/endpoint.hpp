// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// An IP address with a port: where a listener binds and a stream connects. A value; resolves no
// names.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace weft::net {

class endpoint {
public:
    enum class family : std::uint8_t { v4, v6 };

    /// 0.0.0.0, port 0.
    endpoint() noexcept = default;
    /// `bytes` in network order, as in 127.0.0.1 = {127, 0, 0, 1}.
    endpoint(const std::array<std::uint8_t, 4>& bytes, std::uint16_t port) noexcept;
    /// `scope` is the interface index of a link-local address.
    endpoint(const std::array<std::uint8_t, 16>& bytes, std::uint16_t port,
             std::uint32_t scope = 0) noexcept;

    [[nodiscard]] static endpoint loopback_v4(std::uint16_t port) noexcept;
    [[nodiscard]] static endpoint loopback_v6(std::uint16_t port) noexcept;
    [[nodiscard]] static endpoint any_v4(std::uint16_t port) noexcept;
    [[nodiscard]] static endpoint any_v6(std::uint16_t port) noexcept;
    /// Reads "127.0.0.1", "::1" or "[::1]"; throws std::invalid_argument for anything else, names
    /// of hosts included.
    [[nodiscard]] static endpoint parse(std::string_view address, std::uint16_t port);

    [[nodiscard]] family address_family() const noexcept { return family_; }
    [[nodiscard]] bool is_v6() const noexcept { return family_ == family::v6; }
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] std::uint32_t scope() const noexcept { return scope_; }
    /// Network order; the first four count for IPv4, the rest are zero.
    [[nodiscard]] const std::array<std::uint8_t, 16>& bytes() const noexcept { return bytes_; }
    /// "127.0.0.1", "::1".
    [[nodiscard]] std::string address() const;
    /// "127.0.0.1:80", "[::1]:80".
    [[nodiscard]] std::string to_string() const;

    friend bool operator==(const endpoint&, const endpoint&) noexcept = default;
    friend auto operator<=>(const endpoint&, const endpoint&) noexcept = default;

private:
    family family_ = family::v4;
    std::array<std::uint8_t, 16> bytes_{};
    std::uint32_t scope_ = 0;
    std::uint16_t port_ = 0;
};

}  // namespace weft::net
