// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/net/endpoint.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <stdexcept>

namespace weft::net {

endpoint::endpoint(const std::array<std::uint8_t, 4>& bytes, std::uint16_t port) noexcept
    : port_(port) {
    std::copy(bytes.begin(), bytes.end(), bytes_.begin());
}

endpoint::endpoint(const std::array<std::uint8_t, 16>& bytes, std::uint16_t port,
                   std::uint32_t scope) noexcept
    : family_(family::v6), bytes_(bytes), scope_(scope), port_(port) {}

endpoint endpoint::loopback_v4(std::uint16_t port) noexcept {
    return {std::array<std::uint8_t, 4>{127, 0, 0, 1}, port};
}

endpoint endpoint::loopback_v6(std::uint16_t port) noexcept {
    std::array<std::uint8_t, 16> bytes{};
    bytes.back() = 1;
    return {bytes, port};
}

endpoint endpoint::any_v4(std::uint16_t port) noexcept {
    return {std::array<std::uint8_t, 4>{}, port};
}

endpoint endpoint::any_v6(std::uint16_t port) noexcept {
    return {std::array<std::uint8_t, 16>{}, port};
}

endpoint endpoint::parse(std::string_view address, std::uint16_t port) {
    const bool bracketed = address.size() >= 2 && address.front() == '[' && address.back() == ']';
    const std::string text(bracketed ? address.substr(1, address.size() - 2) : address);
    // A NUL inside would end the C string early and accept what precedes it.
    const bool is_text = text.find('\0') == std::string::npos;
    std::array<std::uint8_t, 4> four{};
    if (is_text && !bracketed && ::inet_pton(AF_INET, text.c_str(), four.data()) == 1) {
        return {four, port};
    }
    std::array<std::uint8_t, 16> sixteen{};
    if (is_text && ::inet_pton(AF_INET6, text.c_str(), sixteen.data()) == 1) {
        return {sixteen, port};
    }
    throw std::invalid_argument("weft: \"" + std::string(address) +
                                "\" is not an IP address; resolve host names first");
}

std::string endpoint::address() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    ::inet_ntop(is_v6() ? AF_INET6 : AF_INET, bytes_.data(), text.data(), text.size());
    return text.data();
}

std::string endpoint::to_string() const {
    const std::string port_text = std::to_string(port_);
    return is_v6() ? '[' + address() + "]:" + port_text : address() + ':' + port_text;
}

}  // namespace weft::net
