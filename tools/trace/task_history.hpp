// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Follows every task through the records of a trace: from the merged stream to "this task ran here
// from then to then, because that one woke it". The summary counts what it says, the exporter draws
// it. Stamps are nanoseconds of CLOCK_MONOTONIC from here on.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "weft/trace/format.hpp"
#include "weft/trace/reader.hpp"

namespace weft::tracetool {

enum class task_state : std::uint8_t { ready, running, waiting };

struct task_record {
    trace::task_id id = 0;
    std::uint32_t type = 0;
    task_state state = task_state::ready;
    std::uint64_t since = 0;  // of the state
    unsigned reason = 0;      // of the last suspension
    std::uint32_t site = 0;
    std::uint32_t emitter = 0;  // where it runs or ran last
    unsigned run = 0;           // number of the last run, modulo 16
    bool has_run = false;
    bool has_wake = false;  // `since` is the stamp of a wake-up or of the creation
    bool cancel_requested = false;
    std::uint64_t cancelled_at = 0;
    std::uint64_t flow = 0;  // of the wake-up that led here; 0: none
};

/// What a trace's records mean. Every call comes in the order of time.
class history_listener {
public:
    virtual ~history_listener() = default;
    virtual void created(const task_record&, const trace::recorded_event&, std::uint64_t) {}
    /// `delay` is the time in a queue; `knows_delay` is false where the wake-up was not seen.
    virtual void run_begins(const task_record&, const trace::recorded_event&, std::uint64_t,
                            std::uint64_t /*delay*/, bool /*knows_delay*/) {}
    /// `finished` or suspended or, with neither, cut off by a gap, a switch or the end.
    virtual void run_ends(const task_record&, std::uint64_t /*now*/, std::uint64_t /*started*/,
                          bool /*suspended*/) {}
    virtual void woken(const task_record&, const trace::recorded_event&, std::uint64_t,
                       std::uint64_t /*waited*/, bool /*knows_wait*/) {}
    virtual void finished(const task_record&, const trace::recorded_event&, std::uint64_t) {}
    virtual void cancel_requested(const task_record&, const trace::recorded_event&, std::uint64_t) {
    }
    /// Every record, before what it means.
    virtual void record(const trace::recorded_event&, std::uint64_t /*now*/) {}
};

class task_history {
public:
    task_history(const trace::trace_file& file, history_listener& listener);

    /// Walks the whole file, then ends the runs that are still open.
    void walk();

    [[nodiscard]] std::uint64_t first() const noexcept { return first_; }
    [[nodiscard]] std::uint64_t last() const noexcept { return last_; }
    /// Wake-ups whose stamp is later than that of the run they led to.
    [[nodiscard]] std::uint64_t repairs() const noexcept { return repairs_; }
    [[nodiscard]] std::size_t live() const noexcept { return tasks_.size(); }

private:
    struct stream {
        trace::task_id current = 0;
        bool has_current = false;
    };

    void visit(const trace::recorded_event& e);
    void on_create(const trace::recorded_event& e, std::uint64_t now);
    void on_run(const trace::recorded_event& e, std::uint64_t now);
    void on_stop(const trace::recorded_event& e, std::uint64_t now);
    void on_wake(const trace::recorded_event& e, std::uint64_t now);
    void on_cancel(const trace::recorded_event& e, std::uint64_t now);
    void end_run(std::uint32_t emitter, std::uint64_t now, bool suspended);
    task_record& find(trace::task_id id, std::uint64_t now);

    const trace::trace_file& file_;
    history_listener& listener_;
    std::unordered_map<trace::task_id, task_record> tasks_;
    std::vector<stream> streams_;
    std::uint64_t first_ = 0;
    std::uint64_t last_ = 0;
    std::uint64_t repairs_ = 0;
    std::uint64_t flows_ = 0;
};

/// A coroutine's function without its return type, parameters and template arguments' legend.
[[nodiscard]] std::string short_name(const std::string& function);
/// The name of a task's type as a report shows it.
[[nodiscard]] std::string type_name(const trace::trace_file& file, std::uint32_t type);

}  // namespace weft::tracetool
