// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: the request half of RESP2, as an incremental parser without a buffer of its own. The caller
// shows it every byte from the start of the current request on; it remembers how far it got and
// answers "need more", a request, or what is wrong. Arguments are views into the caller's bytes.
// It knows no command and does no input or output.
//
// Two forms are understood, as Redis does: `*2\r\n$3\r\nGET\r\n$1\r\nk\r\n` (multibulk) and a plain
// line `GET k\r\n` with optional quotes (inline). Each byte is examined once, whatever the pieces
// in which the bytes arrive, so the time is linear in the bytes received.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kv {

struct parser_limits {
    std::size_t line = 64 * 1024;  // an inline request, or a length line
    std::int64_t bulk = 512LL * 1024 * 1024;
    std::int64_t arguments = 1024 * 1024;
};

class resp_parser {
public:
    enum class status : std::uint8_t {
        need_more,  // call again with the same bytes and more
        request,    // arguments() and consumed() are valid; then call next()
        empty,      // a request without arguments: skip consumed() bytes, answer nothing
        broken,     // error() says why; the connection cannot be understood any further
    };

    explicit resp_parser(parser_limits limits = {}) noexcept : limits_(limits) {}

    /// `bytes` begins where the current request begins, and holds at least what it held last time.
    [[nodiscard]] status parse(std::string_view bytes);

    /// Views into the bytes given to the last parse() (inline requests: into the parser).
    [[nodiscard]] std::span<const std::string_view> arguments() const noexcept {
        return arguments_;
    }
    /// How many bytes the request took.
    [[nodiscard]] std::size_t consumed() const noexcept { return position_; }
    /// Forgets the finished request; the next parse() begins a new one.
    void next();

    [[nodiscard]] std::string_view error() const noexcept { return error_; }
    /// Bytes looked at in search of line ends, for the test of linear time.
    [[nodiscard]] std::size_t examined() const noexcept { return examined_; }

private:
    struct slice {
        std::size_t offset;
        std::size_t size;
    };
    enum class line : std::uint8_t { found, need_more, too_long };

    status parse_inline(std::string_view bytes);
    status parse_multibulk(std::string_view bytes);
    status parse_count(std::string_view bytes);
    status parse_bulk(std::string_view bytes);
    status parse_bulk_length(std::string_view bytes);
    status finish_multibulk(std::string_view bytes);
    line find_line_end(std::string_view bytes, char end);
    [[nodiscard]] bool try_short_length(std::string_view bytes, std::int64_t& value) noexcept;
    status fail(std::string reason);

    static constexpr std::int64_t unknown = -1;

    parser_limits limits_;
    std::size_t position_ = 0;          // everything before it is understood
    std::size_t searched_ = 0;          // no line end between position_ and here
    std::int64_t missing_ = unknown;    // arguments still to come
    std::int64_t bulk_size_ = unknown;  // of the argument being read
    std::vector<slice> slices_;         // offsets, since the caller's bytes may move between calls
    std::vector<std::string_view> arguments_;
    std::string inline_text_;  // the unquoted arguments of an inline request, end to end
    std::string error_;
    std::size_t examined_ = 0;
};

}  // namespace kv
