// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "inline_arguments.hpp"

#include <optional>

namespace kv {
namespace {

constexpr bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

constexpr int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

constexpr char escaped(char c) noexcept {
    switch (c) {
        case 'n':
            return '\n';
        case 'r':
            return '\r';
        case 't':
            return '\t';
        case 'b':
            return '\b';
        case 'a':
            return '\a';
        default:
            return c;
    }
}

class splitter {
public:
    splitter(std::string_view rest, std::string& text) : rest_(rest), text_(text) {}

    void skip_space() {
        while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
    }
    [[nodiscard]] bool at_end() const { return rest_.empty(); }

    /// One word; it may change into quotes half-way (a"b c" is the word `ab c`).
    bool word() {
        while (!rest_.empty() && !ends_word(rest_.front())) {
            const char c = take();
            if (c == '"') return quoted('"');
            if (c == '\'') return quoted('\'');
            text_.push_back(c);
        }
        return true;
    }

private:
    // Narrower than is_space: a form feed inside a word belongs to the word, as in Redis.
    static bool ends_word(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

    char take() {
        const char c = rest_.front();
        rest_.remove_prefix(1);
        return c;
    }

    bool quoted(char quote) {
        while (!rest_.empty()) {
            const char c = take();
            if (c == quote) return rest_.empty() || is_space(rest_.front());
            const bool escapes = c == '\\' && !rest_.empty();
            if (escapes && quote == '"') {
                text_.push_back(escape());
            } else if (escapes && rest_.front() == '\'') {
                text_.push_back(take());
            } else {
                text_.push_back(c);
            }
        }
        return false;  // the line ended inside the quotes
    }

    char escape() {
        if (rest_.size() >= 3 && rest_[0] == 'x') {
            const int high = hex_digit(rest_[1]);
            const int low = hex_digit(rest_[2]);
            if (high >= 0 && low >= 0) {
                rest_.remove_prefix(3);
                return static_cast<char>(high * 16 + low);
            }
        }
        return escaped(take());
    }

    std::string_view rest_;
    std::string& text_;
};

}  // namespace

bool split_inline(std::string_view line, std::string& text, std::vector<std::size_t>& ends) {
    splitter words(line, text);
    for (words.skip_space(); !words.at_end(); words.skip_space()) {
        if (!words.word()) return false;
        ends.push_back(text.size());
    }
    return true;
}

}  // namespace kv
