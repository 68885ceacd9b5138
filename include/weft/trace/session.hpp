// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Tracing as a program sees it: start and stop a recording, and give names to what it shows. The
// runtime attaches an emitter for each worker; a thread that owns none uses `this_thread_emitter`.
// There is one recording at a time in a process. A forked child does not record until it starts a
// recording of its own; the parent's goes on.
//
// While a recording runs, a thread of low priority copies the rings into the file every few
// milliseconds. It never stops a writer: what it was too late for is lost and counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>
#include <system_error>

#include "weft/trace/events.hpp"

namespace weft::trace {

struct options {
    /// "%p" in it becomes the process id. A file that another process is recording into is left
    /// alone: ".<process id>" is appended instead.
    std::string_view file = "weft.wtrace";
    std::uint32_t levels = bits::tasks | bits::user;
    /// One ring for each thread, rounded up to a power of two, from 4 KiB to 256 MiB.
    std::size_t ring_bytes = std::size_t{1} << 20;
    /// Stamp records with CLOCK_MONOTONIC (twice the cost) even where the tick counter is usable.
    bool monotonic_clock = false;
};

struct statistics {
    bool active = false;
    std::uint64_t records = 0;  // in the file
    std::uint64_t lost = 0;     // overwritten before the collector came
    std::uint64_t file_bytes = 0;
    std::uint64_t unringed = 0;  // threads that got no ring: no memory, or more than 1024 of them
    std::error_code error;       // why the recording ended by itself: disk full, ...
    std::string file;
};

/// Begins to record. Errors: the file cannot be written; no memory for the rings; a recording runs
/// already (`operation_in_progress`). Any thread; blocks for the opening of the file.
[[nodiscard]] std::error_code start(const options& how);

/// Ends the recording, writes what is left and returns its last figures. Nothing happens when none
/// runs. Any thread that is no worker's; blocks until the file is complete. A recording that still
/// runs when the process exits is stopped then.
statistics stop();

[[nodiscard]] statistics current_statistics();

/// Starts what the environment asks for: WEFT_TRACE=<file> and WEFT_TRACE_LEVEL=tasks|full|inline.
/// The first call of the process decides, later ones do nothing. A file that cannot be written is
/// reported, and the program runs untraced. A trace that another program wrote with the same
/// WEFT_TRACE_RECORDING=<number> is left alone, as if it were still being written.
void start_from_environment();

/// Where reports go: one sentence without a line end. nullptr restores the default, standard error.
/// May be called from the collector's thread.
using report_function = void (*)(std::string_view sentence);
void set_report_function(report_function report) noexcept;

enum class emitter_kind : std::uint8_t { worker, timer, pool, foreign, collector };

/// Makes `e` the calling thread's emitter. `index` is the worker's number and `name` at most 23
/// characters of it. The emitter stays where it is until `detach`, which its own thread calls.
/// Without memory the thread stays untraced.
void attach(emitter& e, emitter_kind kind, unsigned index, std::string_view name) noexcept;
void detach(emitter& e) noexcept;

/// The emitter of a thread that attached none itself. It lives as long as the thread. Not inlined:
/// a coroutine that moves to another thread asks anew.
[[nodiscard]] emitter& this_thread_emitter() noexcept;

/// Ids for names; equal names have equal ids, for the life of the process. Cheap when asked again
/// on the same thread for the same location (about 2 ns), else a lock and a hash look-up: call them
/// only when `emitter.on` said yes. `other_type` or `no_site` when the string area is full.
[[nodiscard]] std::uint32_t define_type(const std::source_location& coroutine) noexcept;
[[nodiscard]] std::uint32_t define_site(const std::source_location& await) noexcept;
/// For spans, counters and marks; 0 when the string area is full.
[[nodiscard]] std::uint32_t define_name(std::string_view name) noexcept;

/// Puts a task's own name into the file. Does nothing while no recording runs. At most 1 MiB of
/// names between two visits of the collector; the others are not recorded.
void name_task(task_id task, std::string_view name) noexcept;

// ---------------------------------------------------------------------------------------------

/// task_create for a coroutine that is known by the source location of its promise.
inline void task_create(emitter& e, task_id task, const std::source_location& coroutine) noexcept {
    if (e.on(bits::tasks)) [[unlikely]] {
        e.emit(event::task_create, pack<event::task_create>(task, define_type(coroutine)));
    }
}

inline void span_begin(emitter& e, std::uint32_t name, std::uint64_t value = 0) noexcept {
    if (e.on(bits::user)) [[unlikely]]
        e.emit(event::span_begin, pack<event::span_begin>(name, value));
}

inline void span_end(emitter& e, std::uint32_t name, std::uint64_t value = 0) noexcept {
    if (e.on(bits::user)) [[unlikely]]
        e.emit(event::span_end, pack<event::span_end>(name, value));
}

inline void counter(emitter& e, std::uint32_t name, std::uint64_t value) noexcept {
    if (e.on(bits::user)) [[unlikely]]
        e.emit(event::counter, pack<event::counter>(name, value));
}

inline void mark(emitter& e, std::uint32_t name, std::uint64_t value = 0) noexcept {
    if (e.on(bits::user)) [[unlikely]]
        e.emit(event::mark, pack<event::mark>(name, value));
}

}  // namespace weft::trace
