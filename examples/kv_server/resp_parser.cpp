// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "resp_parser.hpp"

#include <cstring>

#include "inline_arguments.hpp"
#include "numbers.hpp"

namespace kv {

resp_parser::status resp_parser::parse(std::string_view bytes) {
    if (bytes.empty()) return status::need_more;
    return bytes.front() == '*' ? parse_multibulk(bytes) : parse_inline(bytes);
}

void resp_parser::next() {
    position_ = searched_ = 0;
    missing_ = bulk_size_ = unknown;
    slices_.clear();
    arguments_.clear();
    constexpr std::size_t usual_arguments = 1024;
    if (slices_.capacity() > usual_arguments) {  // a rare giant must not keep its memory
        slices_.shrink_to_fit();
        arguments_.shrink_to_fit();
    }
}

resp_parser::status resp_parser::fail(std::string reason) {
    error_ = "Protocol error: " + std::move(reason);
    return status::broken;
}

// On success searched_ is the index of `end`. A zero byte hides the rest of the line (Redis
// searches with strchr); the request then waits until it is too long.
resp_parser::line resp_parser::find_line_end(std::string_view bytes, char end) {
    if (searched_ < position_) searched_ = position_;
    const std::string_view fresh = bytes.substr(searched_);
    std::size_t length = fresh.find(end);
    const bool found = length != std::string_view::npos;
    if (!found) length = fresh.size();
    const std::size_t zero = fresh.substr(0, length).find('\0');
    const bool hidden = zero != std::string_view::npos;
    searched_ += hidden ? zero : length;
    examined_ += hidden ? zero + 1 : length;
    if (searched_ - position_ > limits_.line) return line::too_long;
    if (hidden) return bytes.size() - position_ > limits_.line ? line::too_long : line::need_more;
    return found ? line::found : line::need_more;
}

resp_parser::status resp_parser::parse_inline(std::string_view bytes) {
    switch (find_line_end(bytes, '\n')) {
        case line::need_more:
            return status::need_more;
        case line::too_long:
            return fail("too big inline request");
        case line::found:
            break;
    }
    std::string_view text = bytes.substr(0, searched_);
    if (text.ends_with('\r')) text.remove_suffix(1);
    inline_text_.clear();
    std::vector<std::size_t> ends;
    if (!split_inline(text, inline_text_, ends)) return fail("unbalanced quotes in request");
    std::size_t begin = 0;
    for (const std::size_t end : ends) {
        arguments_.push_back(std::string_view(inline_text_).substr(begin, end - begin));
        begin = end;
    }
    position_ = searched_ + 1;
    return arguments_.empty() ? status::empty : status::request;
}

resp_parser::status resp_parser::parse_multibulk(std::string_view bytes) {
    if (missing_ == unknown) {
        const status state = parse_count(bytes);
        if (state != status::request) return state;
    }
    while (missing_ > 0) {
        const status state = parse_bulk(bytes);
        if (state != status::request) return state;
        --missing_;
    }
    return finish_multibulk(bytes);
}

// The common length line is a few digits that have all arrived: one pass without a search. The
// general path below decides everything else, errors included.
bool resp_parser::try_short_length(std::string_view bytes, std::int64_t& value) noexcept {
    constexpr std::size_t most_digits = 6;
    const std::size_t first = position_ + 1;
    const std::size_t last =
        first + most_digits < bytes.size() ? first + most_digits : bytes.size();
    std::size_t at = first;
    std::int64_t sum = 0;
    for (; at < last && bytes[at] >= '0' && bytes[at] <= '9'; ++at)
        sum = sum * 10 + bytes[at] - '0';
    const bool canonical = at > first && (bytes[first] != '0' || at == first + 1);
    if (!canonical || at + 1 >= bytes.size() || bytes[at] != '\r') return false;
    examined_ += at - position_;
    value = sum;
    position_ = at + 2;
    return true;
}

resp_parser::status resp_parser::parse_count(std::string_view bytes) {
    std::int64_t count = 0;
    if (!try_short_length(bytes, count)) {
        switch (find_line_end(bytes, '\r')) {
            case line::need_more:
                return status::need_more;
            case line::too_long:
                return fail("too big mbulk count string");
            case line::found:
                break;
        }
        if (searched_ + 1 >= bytes.size()) return status::need_more;  // the '\n' is on its way
        const auto parsed = parse_integer(bytes.substr(1, searched_ - 1));
        if (!parsed) return fail("invalid multibulk length");
        count = *parsed;
        position_ = searched_ + 2;
    }
    if (count > limits_.arguments) return fail("invalid multibulk length");
    if (count <= 0) return status::empty;
    missing_ = count;
    return status::request;
}

resp_parser::status resp_parser::parse_bulk(std::string_view bytes) {
    if (bulk_size_ == unknown) {
        const status state = parse_bulk_length(bytes);
        if (state != status::request) return state;
    }
    const auto size = static_cast<std::size_t>(bulk_size_);
    if (bytes.size() - position_ < size + 2) return status::need_more;
    slices_.push_back({position_, size});
    position_ += size + 2;
    bulk_size_ = unknown;
    return status::request;
}

resp_parser::status resp_parser::parse_bulk_length(std::string_view bytes) {
    std::int64_t size = 0;
    const bool is_bulk = position_ < bytes.size() && bytes[position_] == '$';
    if (!is_bulk || !try_short_length(bytes, size)) {
        switch (find_line_end(bytes, '\r')) {
            case line::need_more:
                return status::need_more;
            case line::too_long:
                return fail("too big bulk count string");
            case line::found:
                break;
        }
        if (searched_ + 1 >= bytes.size()) return status::need_more;
        if (!is_bulk) return fail(std::string("expected '$', got '") + bytes[position_] + "'");
        const auto parsed = parse_integer(bytes.substr(position_ + 1, searched_ - position_ - 1));
        if (!parsed || *parsed < 0) return fail("invalid bulk length");
        size = *parsed;
        position_ = searched_ + 2;
    }
    if (size > limits_.bulk) return fail("invalid bulk length");
    bulk_size_ = size;
    return status::request;
}

resp_parser::status resp_parser::finish_multibulk(std::string_view bytes) {
    arguments_.reserve(slices_.size());
    for (const slice& s : slices_) arguments_.push_back(bytes.substr(s.offset, s.size));
    return status::request;
}

}  // namespace kv
