// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/trace/session.hpp"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>
#include <optional>

#include "trace/clock.hpp"
#include "trace/collector.hpp"
#include "trace/registry.hpp"

namespace weft::detail {

namespace {

/// The process's tracing. Made once and never destroyed: threads detach while statics die.
struct trace_session {
    std::mutex control;  // start, stop and fork; taken before the registry's
    trace_registry emitters;
    trace_collector* reader = new trace_collector(emitters);
    bool active = false;
    bool environment_read = false;
};

std::mutex reporter_mutex;  // taken last
trace::report_function reporter = nullptr;

void report(const std::string& sentence) {
    trace::report_function function = nullptr;
    {
        const std::lock_guard guard(reporter_mutex);
        function = reporter;
    }
    if (function != nullptr) return function(sentence);
    std::fprintf(stderr, "weft: trace: %s\n", sentence.c_str());
}

trace_session& session() noexcept;

void before_fork() {
    session().control.lock();
    session().emitters.lock();
}

void after_fork_in_parent() {
    session().emitters.unlock();
    session().control.unlock();
}

void after_fork_in_child() {
    // The recording stays the parent's: its rings, its file, its collector.
    session().reader->abandon();
    session().reader = new trace_collector(session().emitters);
    session().emitters.abandon();
    session().active = false;
    session().environment_read = true;
    after_fork_in_parent();
}

trace_session& session() noexcept {
    static trace_session& only = *[] {
        ::pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
        return new trace_session;
    }();
    return only;
}

void recording_failed(const trace_collector& source, std::error_code error) {
    session().emitters.end_writing();
    report("cannot write " + source.path() + ": " + error.message() +
           "; the recording ends after " + std::to_string(source.records()) + " records");
}

trace::statistics figures_locked(trace_session& s) {
    trace::statistics figures;
    figures.active = s.active;
    figures.records = s.reader->records();
    figures.lost = s.reader->lost();
    figures.file_bytes = s.reader->file_bytes();
    figures.unringed = s.emitters.unringed();
    figures.file = s.reader->path();
    if (!s.active) figures.error = s.reader->error();
    return figures;
}

std::uint64_t ring_capacity(std::size_t bytes) noexcept {
    const std::size_t clamped = std::clamp(bytes, std::size_t{4} << 10, std::size_t{256} << 20);
    return std::bit_ceil(clamped) / sizeof(trace_record);
}

void stop_at_exit() { trace::stop(); }

/// The number in an environment variable, if it has one up to `largest`.
std::optional<std::uint32_t> number_from_environment(const char* name, std::uint32_t largest) {
    const char* setting = std::getenv(name);
    if (setting == nullptr) return std::nullopt;
    std::uint32_t number = 0;
    const std::string_view digits = setting;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (parsed.ec != std::errc{} || number > largest) return std::nullopt;
    return number;
}

std::error_code start_locked(trace_session& s, const trace::options& how,
                             std::uint32_t recording = 0) {
#ifdef WEFT_NO_TRACE
    return std::make_error_code(std::errc::not_supported);  // no event site writes anything
#endif
    if (s.active) return std::make_error_code(std::errc::operation_in_progress);
    chunk_file file;
    if (std::error_code error = file.open(how.file, recording)) return error;
    trace_collector::settings settings;
    settings.levels = how.levels & ~trace::bits::clock_monotonic;
    settings.ring_capacity = ring_capacity(how.ring_bytes);
    settings.monotonic_ticks = how.monotonic_clock || !tick_counter_is_usable();
    settings.failed = recording_failed;
    if (std::error_code error = s.reader->start(std::move(file), settings)) return error;
    const std::error_code error =
        s.emitters.begin(settings.levels, settings.ring_capacity, settings.monotonic_ticks);
    if (error) {
        s.reader->stop();
        return error;
    }
    s.reader->go();
    s.active = true;
    static const int registered = std::atexit(stop_at_exit);
    static_cast<void>(registered);
    return {};
}

}  // namespace

trace_registry& process_trace_registry() noexcept { return session().emitters; }

}  // namespace weft::detail

namespace weft::trace {

using weft::detail::number_from_environment;
using weft::detail::report;
using weft::detail::session;

std::error_code start(const options& how) {
    const std::lock_guard guard(session().control);
    return weft::detail::start_locked(session(), how);
}

statistics stop() {
    auto& s = session();
    const std::lock_guard guard(s.control);
    if (s.active) {
        s.emitters.end_writing();
        s.reader->stop();
        s.emitters.end_reading();
        s.active = false;
    }
    return weft::detail::figures_locked(s);
}

statistics current_statistics() {
    const std::lock_guard guard(session().control);
    return weft::detail::figures_locked(session());
}

void set_report_function(report_function function) noexcept {
    const std::lock_guard guard(weft::detail::reporter_mutex);
    weft::detail::reporter = function;
}

void start_from_environment() {
    auto& s = session();
    const std::lock_guard guard(s.control);
    if (s.environment_read) return;
    s.environment_read = true;
    const char* file = std::getenv("WEFT_TRACE");
    if (file == nullptr || *file == '\0' || s.active) return;
    options how;
    how.file = file;
    const char* level = std::getenv("WEFT_TRACE_LEVEL");
    const std::string_view word = level != nullptr ? level : "tasks";
    if (word == "full" || word == "inline") how.levels |= bits::full;
    if (word == "inline") how.levels |= bits::inline_awaits;
    if (word != "tasks" && word != "full" && word != "inline") {
        report("WEFT_TRACE_LEVEL is \"" + std::string(word) +
               "\", which is none of tasks, full and inline; recording tasks");
    }
    if (const auto kibibytes = number_from_environment("WEFT_TRACE_RING_KIB", 1u << 20)) {
        how.ring_bytes = std::size_t{*kibibytes} << 10;
    }
    if (const char* clock = std::getenv("WEFT_TRACE_CLOCK"); clock != nullptr) {
        how.monotonic_clock = std::string_view(clock) == "monotonic";
    }
    const auto recording = number_from_environment("WEFT_TRACE_RECORDING", ~0u).value_or(0);
    if (const std::error_code error = weft::detail::start_locked(s, how, recording)) {
        report("cannot record into " + std::string(file) + ": " + error.message() +
               "; running without a trace");
    }
}

void attach(emitter& e, emitter_kind kind, unsigned index, std::string_view name) noexcept {
    try {
        session().emitters.attach(e, kind, index, name);
    } catch (const std::bad_alloc&) {
        return;  // this thread stays untraced
    }
}

void detach(emitter& e) noexcept { session().emitters.detach(e); }

[[gnu::noinline]] emitter& this_thread_emitter() noexcept {
    struct attached_emitter {
        emitter e;
        attached_emitter() noexcept { attach(e, emitter_kind::foreign, 0, ""); }
        attached_emitter(const attached_emitter&) = delete;
        attached_emitter& operator=(const attached_emitter&) = delete;
        ~attached_emitter() { detach(e); }
    };
    thread_local attached_emitter own;
    return own.e;
}

void name_task(task_id task, std::string_view name) noexcept {
    try {
        session().emitters.name_task(task, name);
    } catch (const std::bad_alloc&) {
        return;  // a name less
    }
}

}  // namespace weft::trace
