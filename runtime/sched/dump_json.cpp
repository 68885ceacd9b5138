// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Descriptions of tasks as JSON (RFC 8259). Written here because it is all the JSON that the
// library knows: flat objects, written once, never read.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "weft/sched/task_dump.hpp"

namespace weft {

namespace {

/// Bytes of the UTF-8 sequence that `text` begins with; 0: it begins with none.
std::size_t sequence_length(std::string_view text) noexcept {
    struct range {
        unsigned char first, last;  // of the lead byte
        unsigned char low, high;    // of the byte after it
        std::size_t length;
    };
    // Table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing above U+10FFFF.
    static constexpr std::array<range, 9> ranges{{{0x00, 0x7f, 0, 0, 1},
                                                  {0xc2, 0xdf, 0x80, 0xbf, 2},
                                                  {0xe0, 0xe0, 0xa0, 0xbf, 3},
                                                  {0xe1, 0xec, 0x80, 0xbf, 3},
                                                  {0xed, 0xed, 0x80, 0x9f, 3},
                                                  {0xee, 0xef, 0x80, 0xbf, 3},
                                                  {0xf0, 0xf0, 0x90, 0xbf, 4},
                                                  {0xf1, 0xf3, 0x80, 0xbf, 4},
                                                  {0xf4, 0xf4, 0x80, 0x8f, 4}}};
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    for (const range& r : ranges) {
        if (byte(0) < r.first || byte(0) > r.last) continue;
        if (text.size() < r.length) return 0;
        if (r.length > 1 && (byte(1) < r.low || byte(1) > r.high)) return 0;
        for (std::size_t i = 2; i < r.length; ++i) {
            if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
        }
        return r.length;
    }
    return 0;
}

class json_writer {
public:
    [[nodiscard]] std::string take() noexcept { return std::move(text_); }

    void open(char bracket) {
        separate();
        text_ += bracket;
        is_first_ = true;
    }
    void close(char bracket) {
        text_ += bracket;
        is_first_ = false;
    }
    void key(std::string_view name) {
        string(name);
        text_ += ':';
        is_first_ = true;  // no comma before its value
    }
    void string(std::string_view value) {
        separate();
        text_ += '"';
        while (!value.empty()) {
            const std::size_t length = sequence_length(value);
            length == 0 ? void(text_ += "\\ufffd") : character(value.substr(0, length));
            value.remove_prefix(length == 0 ? 1 : length);
        }
        text_ += '"';
    }
    /// A number or a word.
    void bare(std::string_view value) {
        separate();
        text_ += value;
    }
    void field(std::string_view name, std::string_view value) {
        key(name);
        string(value);
    }
    void field(std::string_view name, std::uint64_t value) {
        key(name);
        bare(std::to_string(value));
    }
    void flag(std::string_view name, bool value) {
        key(name);
        bare(value ? "true" : "false");
    }

private:
    void separate() {
        if (!is_first_) text_ += ',';
        is_first_ = false;
    }
    void character(std::string_view sequence) {
        static constexpr std::string_view digits = "0123456789abcdef";
        const auto code = static_cast<unsigned char>(sequence.front());
        if (code < 0x20) {
            text_ += "\\u00";
            text_ += digits[code / 16U];
            text_ += digits[code % 16U];
            return;
        }
        if (code == '"' || code == '\\') text_ += '\\';
        text_ += sequence;
    }

    std::string text_;
    bool is_first_ = true;
};

void write(json_writer& to, const std::source_location& place) {
    to.open('{');
    to.field("function", place.function_name());
    to.field("file", place.file_name());
    to.field("line", place.line());
    to.close('}');
}

/// The fields of an object that is open.
void write_fields(json_writer& to, const await_point& at) {
    to.key("coroutines");
    to.open('[');
    for (const auto& coroutine : at.coroutines) write(to, coroutine);
    to.close(']');
    to.field("waits_for", at.waits_for);
    to.key("tasks");
    to.open('[');
    for (const awaited_task& each : at.tasks) {
        to.open('{');
        to.field("id", each.id);
        to.field("name", each.name);
        to.close('}');
    }
    to.close(']');
    to.key("futures");
    to.open('[');
    for (const auto& promised : at.futures) write(to, promised);
    to.close(']');
    to.flag("one_is_enough", at.one_is_enough);
    to.flag("one_failure_is_enough", at.one_failure_is_enough);
    to.flag("has_limit", at.has_limit);
    to.flag("is_open", at.is_open);
    to.key("children");
    to.open('[');
    for (const await_point& child : at.children) {
        to.open('{');
        write_fields(to, child);
        to.close('}');
    }
    to.close(']');
    to.flag("is_cut", at.is_cut);
}

std::string_view word_for(priority level) noexcept {
    constexpr std::array<std::string_view, 3> words{"latency", "normal", "background"};
    return words[static_cast<std::size_t>(level)];
}

void write(json_writer& to, const task_description& task) {
    to.open('{');
    to.field("id", task.id);
    to.field("name", task.name);
    to.key("location");
    write(to, task.location);
    to.field("phase", to_text(task.phase));
    to.key("worker");
    to.bare(task.worker ? std::to_string(*task.worker) : "null");
    to.field("priority", word_for(task.priority));
    to.field("age_ns", static_cast<std::uint64_t>(task.age.count()));
    to.field("cancel_requests", task.cancel_requests);
    to.flag("is_awaited", task.is_awaited);
    write_fields(to, task.at);
    to.close('}');
}

}  // namespace

std::string to_json(std::span<const task_description> tasks) {
    json_writer to;
    to.open('{');
    to.key("tasks");
    to.open('[');
    for (const task_description& task : tasks) write(to, task);
    to.close(']');
    to.close('}');
    return to.take();
}

}  // namespace weft
