// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/net/error.hpp"

#include "weft/net/io_operation.hpp"

namespace weft::net {

namespace {

class net_category_type final : public std::error_category {
public:
    const char* name() const noexcept override { return "weft.net"; }
    std::string message(int value) const override {
        if (static_cast<net_errc>(value) == net_errc::end_of_stream) {
            return "the stream ended before the expected number of bytes";
        }
        return "unknown network error";
    }
};

}  // namespace

const std::error_category& net_category() noexcept {
    static const net_category_type category;
    return category;
}

std::error_code make_error_code(net_errc error) noexcept {
    return {static_cast<int>(error), net_category()};
}

incomplete_read_error::incomplete_read_error(std::size_t partial, std::size_t expected)
    : std::system_error(
          make_error_code(net_errc::end_of_stream),
          "weft: read " + std::to_string(partial) + " of " + std::to_string(expected) + " bytes"),
      partial_(partial),
      expected_(expected) {}

}  // namespace weft::net

namespace weft::detail {

void throw_io_failure(const io_failure& failure) {
    if (failure.code == net::net_errc::end_of_stream) {
        throw net::incomplete_read_error(failure.partial, failure.expected);
    }
    throw std::system_error(failure.code);
}

}  // namespace weft::detail
