// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The thread that copies the rings into the file: every 1 to 10 ms while records come, the sooner
// the faster a ring fills, and every 50 ms while none do. Writers do not know it; when it is slow
// or its disk is, records are overwritten in the rings and counted as lost.
//
// Protocol: collector                               checked by: tests/unit/trace/session_test.cpp
// Roles      control (start, stop; serialised by the session's mutex) · collector (one thread)
// Word       stage_
// States     starting ──preface written/collector──▶ ready ──go/control──▶ running
//            ready, running ──stop/control──▶ stopping
// Fields     file_, input_, batch_ → collector-confined while it runs, control's before and after
//            (thread creation and join order them); records_, lost_, bytes_ → atomic counters
// Edges      P1 stage_ release → collector's acquire: sees the masks that control cleared
//               before, so the last round finds all that was written before them
//            P2 stage_ release → control's acquire: the collector is on its feet, so a program that
//               ends soon is recorded whole
// Progress   a wake-up that comes between the look at stage_ and the sleep is kept by the futex's
//            comparison
// Shutdown   1 masks off 2 stopping 3 last round, end chunk, close 4 join 5 rings are freed
#pragma once

#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

#include "trace/chunk_file.hpp"
#include "trace/registry.hpp"
#include "weft/model/environment.hpp"

namespace weft::detail {

class trace_collector {
public:
    using report_function = void (*)(const trace_collector& source, std::error_code error);

    struct settings {
        std::uint32_t levels = 0;
        std::uint64_t ring_capacity = 0;
        bool monotonic_ticks = false;
        report_function failed = nullptr;  // on the collector's thread, once
    };

    explicit trace_collector(trace_registry& emitters) noexcept : registry_(emitters) {}

    /// `file` is open. Returns when the thread has begun the file, or why there is no thread.
    [[nodiscard]] std::error_code start(chunk_file&& file, const settings& how);
    /// The masks are on: collect from now.
    void go() noexcept { enter(stage::running); }
    /// After the masks went off: the last round, then the end of the thread.
    void stop();
    /// In a forked child, where the thread does not exist: closes the file and touches nothing
    /// else, since the thread may have been halfway through any change. Then leak the object: its
    /// handle names a thread of the parent.
    void abandon() noexcept;

    [[nodiscard]] std::uint64_t records() const noexcept;
    [[nodiscard]] std::uint64_t lost() const noexcept;
    [[nodiscard]] std::uint64_t file_bytes() const noexcept;
    /// Once stopped.
    [[nodiscard]] std::error_code error() const noexcept { return file_.error(); }
    [[nodiscard]] const std::string& path() const noexcept { return file_.path(); }

private:
    using word = real_environment::atomic<std::uint64_t>;
    enum class stage : std::uint32_t { starting, ready, running, stopping };

    void enter(stage next) noexcept;
    [[nodiscard]] stage current_stage() const noexcept;
    /// Blocks while the stage is `from`, until `deadline`.
    void await_change(stage from, time_point deadline = time_point::max()) noexcept;
    void write_all();
    void run();
    void write_preface();
    void round();
    void drain(ring_owner& owner);
    void write_batch(const ring_owner& owner, const trace_record* records, std::size_t count,
                     std::uint64_t sequence, std::uint64_t lost);
    void write_clocks();
    void write_end();
    void sleep();

    trace_registry& registry_;
    settings settings_;
    chunk_file file_;
    std::thread thread_;
    trace_registry::round_input input_;
    std::vector<trace_record> batch_;
    std::string payload_;
    std::uint64_t reference_ticks_ = 0;
    std::uint64_t fullest_percent_ = 0;  // of a ring, in this round
    bool was_idle_ = true;               // no ring had anything
    nanoseconds pause_{};
    time_point next_clocks_{};
    real_environment::atomic<std::uint32_t> stage_{0};
    word records_{0};
    word lost_{0};
    word bytes_{0};
};

/// What one record costs on this machine now, in picoseconds: the best of a few short loops.
[[nodiscard]] std::uint64_t measure_record_cost(bool monotonic_ticks);

}  // namespace weft::detail
