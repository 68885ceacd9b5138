// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The fields of each event's payload: one table that packs, unpacks, stores and prints them all.
// The table is written into every trace file, so a reader decodes events newer than itself.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "weft/trace/format.hpp"

namespace weft::trace {

enum class field_kind : std::uint8_t { number, modulo, task, duration, enumeration };

/// `bits` wide; a number that does not fit is stored as the largest that does, a modulo is cut. The
/// names of an enumeration's values stand in `values`, from 0 up, with spaces between.
struct field {
    const char* name = "";
    std::uint8_t bits = 0;
    field_kind kind = field_kind::number;
    const char* values = "";
};

inline constexpr std::size_t max_fields = 5;

struct layout {
    event id = event::none;
    const char* name = "";
    std::uint32_t level = 0;
    std::array<field, max_fields> fields{};

    [[nodiscard]] constexpr std::size_t field_count() const noexcept;
};

/// The layout of `id`; one with `event::none` when there is no such event.
[[nodiscard]] constexpr const layout& layout_of(event id) noexcept;

/// Times from 0 to 73 minutes in 16 bits, exact below 2.048 us and within 0.05 % above.
[[nodiscard]] constexpr std::uint16_t pack_duration(std::uint64_t nanoseconds) noexcept;
[[nodiscard]] constexpr std::uint64_t unpack_duration(std::uint64_t packed) noexcept;

/// The payload of `Event`, one value for each of its fields.
template <event Event, class... Values>
[[nodiscard]] constexpr std::uint64_t pack(Values... values) noexcept;

/// The raw fields of `payload`, in layout order; durations and enumerations are not translated.
[[nodiscard]] constexpr std::array<std::uint64_t, max_fields> unpack(
    const layout& shape, std::uint64_t payload) noexcept;

// ---------------------------------------------------------------------------------------------

}  // namespace weft::trace

namespace weft::detail {

struct trace_layouts {
    using enum trace::field_kind;
    using enum trace::event;
    using field = trace::field;
    using layout = trace::layout;

    static constexpr field subject{"task", trace::task_id_bits, task};
    static constexpr field source{"source", 4, enumeration,
                                  "next_slot local stolen injected yielded inline_call timer io"};
    static constexpr field reason{
        "reason", 8, enumeration,
        "unknown yield join mutex semaphore channel_send channel_receive event timer io_read "
        "io_write io_accept io_connect blocking_pool external condition barrier queue process "
        "signal file"};
    static constexpr field result{"result", 8, enumeration, "value exception cancelled"};
    static constexpr field cause{"cause", 8, enumeration,
                                 "request scope timeout sibling shutdown parent"};
    static constexpr field via{"via", 4, enumeration, "next_slot local injected handed_over"};
    static constexpr field why_parked{"reason", 8, enumeration, "idle poll shutdown"};
    static constexpr field why_unparked{"cause", 8, enumeration,
                                        "woken timer io timeout spurious shutdown"};
    static constexpr field why_notified{"reason", 8, enumeration,
                                        "work last_searcher timer shutdown"};
    static constexpr field operation{"operation", 8, enumeration, "read write accept connect poll"};
    static constexpr field run{"run", 4, modulo};
    static constexpr field depth8{"depth", 8, number};
    static constexpr field depth16{"depth", 16, number};
    static constexpr field site{"site", 24, number};
    static constexpr field object{"object", 32, modulo};
    static constexpr field name{"name", 24, number};
    static constexpr field value{"value", 40, number};

    // clang-format off
    static constexpr layout table[] = {
        {none, "none", 0, {}},
        {task_create, "task_create", trace::bits::tasks, {{subject, {"type", 16, number}}}},
        {task_run, "task_run", trace::bits::tasks, {{subject, run, source, depth8}}},
        {task_suspend, "task_suspend", trace::bits::tasks, {{reason, site, object}}},
        {task_finish, "task_finish", trace::bits::tasks,
         {{result, {"runs", 24, number}, {"frame_bytes", 32, number}}}},
        {task_cancel, "task_cancel", trace::bits::tasks, {{subject, cause, depth8}}},
        {task_wake, "task_wake", trace::bits::tasks, {{subject, run, via, {"target", 8, number}}}},
        {short_runs, "short_runs", trace::bits::tasks,
         {{{"count", 24, number}, {"ticks", 40, number}}}},
        {steal, "steal", trace::bits::full,
         {{{"victim", 16, number}, {"got", 16, number}, {"attempts", 32, number}}}},
        {search, "search", trace::bits::full,
         {{{"attempts", 16, number}, {"victims", 16, number}, {"ticks", 32, number}}}},
        {park, "park", trace::bits::tasks,
         {{{"local", 16, number}, {"injected", 16, number}, {"timeout_us", 24, number},
           why_parked}}},
        {unpark, "unpark", trace::bits::tasks, {{why_unparked, {"waker", 16, number}}}},
        {notify, "notify", trace::bits::full, {{{"worker", 16, number}, why_notified}}},
        {inject, "inject", trace::bits::tasks, {{subject, depth16}}},
        {queues, "queues", trace::bits::tasks,
         {{{"local", 16, number}, {"injected", 24, number}, {"live", 24, number}}}},
        {timer_fire, "timer_fire", trace::bits::tasks, {{subject, {"lateness", 16, duration}}}},
        {timer_arm, "timer_arm", trace::bits::full, {{{"delay_us", 32, number}, object}}},
        {io_submit, "io_submit", trace::bits::full,
         {{{"fd", 24, number}, operation, {"result", 32, modulo}}}},
        {io_ready, "io_ready", trace::bits::full, {{subject, operation, {"events", 8, modulo}}}},
        {pool_submit, "pool_submit", trace::bits::tasks, {{subject, depth16}}},
        {pool_start, "pool_start", trace::bits::tasks, {{subject, depth16}}},
        {pool_end, "pool_end", trace::bits::tasks, {{subject, depth16}}},
        {block_enter, "block_enter", trace::bits::tasks, {{site}}},
        {block_exit, "block_exit", trace::bits::tasks, {{site}}},
        {long_run, "long_run", trace::bits::tasks, {{subject, {"run_ms", 16, number}}}},
        {off_cpu, "off_cpu", trace::bits::tasks,
         {{{"ns", 40, number}, {"preempted", 1, number}, {"cpu", 16, number}}}},
        {sample, "sample", trace::bits::full, {{{"stack", 32, number}}}},
        {span_begin, "span_begin", trace::bits::user, {{name, value}}},
        {span_end, "span_end", trace::bits::user, {{name, value}}},
        {counter, "counter", trace::bits::user, {{name, value}}},
        {mark, "mark", trace::bits::user, {{name, value}}},
        {flow, "flow", trace::bits::user, {{name, {"value", 40, modulo}}}},
    };
    // clang-format on
};

[[nodiscard]] constexpr std::uint64_t fit_trace_field(const trace::field& shape,
                                                      std::uint64_t value) noexcept {
    const std::uint64_t largest = ~std::uint64_t{0} >> (64 - shape.bits);
    if (shape.kind == trace::field_kind::modulo || shape.kind == trace::field_kind::task)
        return value & largest;
    if (shape.kind == trace::field_kind::duration) return trace::pack_duration(value);
    return value < largest ? value : largest;
}

}  // namespace weft::detail

namespace weft::trace {
constexpr std::size_t layout::field_count() const noexcept {
    std::size_t count = 0;
    while (count < max_fields && fields[count].bits != 0) ++count;
    return count;
}

constexpr const layout& layout_of(event id) noexcept {
    for (const layout& shape : weft::detail::trace_layouts::table) {
        if (shape.id == id) return shape;
    }
    return weft::detail::trace_layouts::table[0];
}

constexpr std::uint16_t pack_duration(std::uint64_t nanoseconds) noexcept {
    unsigned exponent = 0;
    while (nanoseconds > 0x7ff && exponent < 31) {
        nanoseconds >>= 1;
        ++exponent;
    }
    if (nanoseconds > 0x7ff) nanoseconds = 0x7ff;
    return static_cast<std::uint16_t>(exponent << 11 | nanoseconds);
}

constexpr std::uint64_t unpack_duration(std::uint64_t packed) noexcept {
    return (packed & 0x7ff) << (packed >> 11 & 31);
}

template <event Event, class... Values>
constexpr std::uint64_t pack(Values... values) noexcept {
    constexpr const layout& shape = layout_of(Event);
    static_assert(shape.id == Event, "not an event");
    static_assert(sizeof...(Values) == shape.field_count(), "one value for each field");
    std::uint64_t payload = 0;
    std::size_t index = 0;
    unsigned shift = 0;
    const auto add = [&](std::uint64_t value) {
        payload |= weft::detail::fit_trace_field(shape.fields[index], value) << shift;
        shift += shape.fields[index++].bits;
    };
    (add(static_cast<std::uint64_t>(values)), ...);
    return payload;
}

constexpr std::array<std::uint64_t, max_fields> unpack(const layout& shape,
                                                       std::uint64_t payload) noexcept {
    std::array<std::uint64_t, max_fields> values{};
    unsigned shift = 0;
    for (std::size_t i = 0; i < shape.field_count() && shift < 64; ++i) {
        const unsigned width = shape.fields[i].bits;
        values[i] = payload >> shift & ~std::uint64_t{0} >> (64 - width);
        shift += width;
    }
    return values;
}

}  // namespace weft::trace
