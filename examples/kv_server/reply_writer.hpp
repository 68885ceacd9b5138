// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: the reply half of RESP2. Commands append here; the connection writes text() once per batch
// of requests and clear()s it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "numbers.hpp"

namespace kv {

class reply_writer {
public:
    void ok() { text_.append("+OK\r\n"); }
    void simple(std::string_view word) { line('+', word); }
    /// `message` begins with its code ("ERR …"); a line break in it becomes a space.
    void error(std::string_view message);
    void integer(std::int64_t value);
    void bulk(std::string_view bytes);
    void bulk(std::int64_t value) { bulk(integer_text(value).view()); }
    void null_bulk() { text_.append("$-1\r\n"); }
    void null_array() { text_.append("*-1\r\n"); }
    /// Announces `count` replies that follow.
    void array(std::size_t count) { number('*', static_cast<std::int64_t>(count)); }
    /// Replies that another writer has spelled.
    void raw(std::string_view replies) { text_.append(replies); }

    [[nodiscard]] std::string_view text() const noexcept { return text_; }
    [[nodiscard]] std::size_t size() const noexcept { return text_.size(); }
    /// Forgets the text; a buffer that one large reply blew up is given back.
    void clear();

private:
    void line(char kind, std::string_view word);
    void number(char kind, std::int64_t value);

    static constexpr std::size_t kept_capacity = 64 * 1024;

    std::string text_;
};

// ---------------------------------------------------------------------------------------------

inline void reply_writer::line(char kind, std::string_view word) {
    text_.push_back(kind);
    text_.append(word);
    text_.append("\r\n", 2);
}

inline void reply_writer::number(char kind, std::int64_t value) {
    if (value >= 0 && value <= 9) {  // most replies: a counter of one, an array of a few
        const char digit = static_cast<char>('0' + value);
        const char text[] = {kind, digit, '\r', '\n'};
        text_.append(text, sizeof text);
        return;
    }
    line(kind, integer_text(value).view());
}

inline void reply_writer::integer(std::int64_t value) { number(':', value); }

inline void reply_writer::bulk(std::string_view bytes) {
    number('$', static_cast<std::int64_t>(bytes.size()));
    text_.append(bytes);
    text_.append("\r\n", 2);
}

inline void reply_writer::error(std::string_view message) {
    text_.push_back('-');
    const std::size_t begin = text_.size();
    text_.append(message);
    for (std::size_t i = begin; i < text_.size(); ++i) {
        if (text_[i] == '\r' || text_[i] == '\n') text_[i] = ' ';
    }
    text_.append("\r\n", 2);
}

inline void reply_writer::clear() {
    if (text_.capacity() > kept_capacity) {
        std::string().swap(text_);
    } else {
        text_.clear();
    }
}

}  // namespace kv
