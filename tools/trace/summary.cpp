// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// weft-trace summary: the figures of a recording as tables for a terminal.

#include <getopt.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "commands.hpp"
#include "histogram.hpp"
#include "table.hpp"
#include "task_history.hpp"
#include "weft/trace/layout.hpp"
#include "weft/trace/session.hpp"

namespace weft::tracetool {

namespace {

using trace::event;
using trace::recorded_event;

struct type_figures {
    std::uint64_t created = 0;
    std::uint64_t finished = 0;
    std::uint64_t failed = 0;
    std::uint64_t cancelled = 0;
    histogram run;
    histogram delay;
};

struct emitter_figures {
    std::uint64_t runs = 0;
    double busy = 0;
    std::uint64_t parks = 0;
    double parked = 0;
    std::uint64_t parked_since = 0;
    std::uint64_t steals = 0;
    std::uint64_t stolen = 0;
    std::uint64_t searches = 0;
    std::uint64_t largest_depth = 0;
};

std::string figure(const histogram& h, double fraction) {
    if (h.count() == 0) return "-";
    return format_duration(static_cast<double>(h.percentile(fraction)));
}

/// p50, p90, p99 and the maximum.
void append_percentiles(std::vector<std::string>& row, const histogram& h) {
    for (const double fraction : {0.5, 0.9, 0.99}) row.push_back(figure(h, fraction));
    row.push_back(h.count() == 0 ? "-" : format_duration(static_cast<double>(h.max())));
}

class summary : public history_listener {
public:
    explicit summary(const trace::trace_file& file)
        : file_(file), emitters_(file.emitters.size()), history_(file, *this) {}

    void print() {
        history_.walk();
        for (emitter_figures& each : emitters_) end_park(each, history_.last());
        print_head();
        print_types();
        print_delays();
        print_waits();
        print_emitters();
        print_rest();
        print_losses();
    }

    void created(const task_record& task, const recorded_event&, std::uint64_t) override {
        ++types_[task.type].created;
    }

    void run_begins(const task_record& task, const recorded_event& e, std::uint64_t,
                    std::uint64_t delay, bool knows_delay) override {
        const auto fields = trace::unpack(trace::layout_of(e.id), e.payload);
        ++emitters_[e.emitter].runs;
        auto& deepest = emitters_[e.emitter].largest_depth;
        deepest = std::max(deepest, fields[3]);
        if (!knows_delay) return;
        types_[task.type].delay.add(delay);
        sources_[static_cast<unsigned>(fields[2])].add(delay);
    }

    void run_ends(const task_record& task, std::uint64_t now, std::uint64_t started,
                  bool suspended) override {
        types_[task.type].run.add(now - started);
        emitters_[task.emitter].busy += static_cast<double>(now - started);
        if (suspended) ++suspends_[task.reason];
    }

    void woken(const task_record& task, const recorded_event&, std::uint64_t, std::uint64_t waited,
               bool knows_wait) override {
        if (knows_wait) waits_[task.reason].add(waited);
    }

    void finished(const task_record& task, const recorded_event& e, std::uint64_t now) override {
        type_figures& type = types_[task.type];
        ++type.finished;
        const auto result = static_cast<trace::finish_result>(e.payload & 0xff);
        if (result == trace::finish_result::exception) ++type.failed;
        if (result == trace::finish_result::cancelled) ++type.cancelled;
        if (task.cancel_requested) cancel_latency_.add(now - task.cancelled_at);
    }

    void record(const recorded_event& e, std::uint64_t now) override {
        ++records_[static_cast<std::size_t>(e.id)];
        const auto fields = trace::unpack(trace::layout_of(e.id), e.payload);
        emitter_figures& here = emitters_[e.emitter];
        if (e.id == event::park) {
            ++here.parks;
            here.parked_since = now;
        } else if (e.id == event::unpark) {
            end_park(here, now);
        } else if (e.id == event::steal) {
            ++here.steals;
            here.stolen += fields[1];
        } else if (e.id == event::search) {
            ++here.searches;
        } else if (e.id == event::timer_fire) {
            lateness_.add(trace::unpack_duration(fields[1]));
        } else if (e.id == event::inject) {
            largest_injection_ = std::max(largest_injection_, fields[1]);
        }
    }

private:
    static void end_park(emitter_figures& each, std::uint64_t now) {
        if (each.parked_since == 0) return;
        each.parked += static_cast<double>(now - each.parked_since);
        each.parked_since = 0;
    }

    [[nodiscard]] double duration() const {
        return std::max(1.0, static_cast<double>(history_.last() - history_.first()));
    }

    [[nodiscard]] std::string value_name(event id, std::size_t field, unsigned value) const {
        const auto* layout = file_.layout_for(id);
        if (layout == nullptr || field >= layout->fields.size()) return std::to_string(value);
        const auto& names = layout->fields[field].values;
        return value < names.size() ? names[value] : std::to_string(value);
    }

    void print_head() const {
        const std::string_view command = file_.meta("command");
        std::printf("%.*s\n", static_cast<int>(command.size()), command.data());
        std::printf("%s recorded, %s records from %zu threads, %.1f bytes each\n",
                    format_duration(duration()).c_str(), format_count(file_.records).c_str(),
                    file_.emitters.size(),
                    static_cast<double>(file_.size_bytes) /
                        static_cast<double>(std::max<std::uint64_t>(file_.records, 1)));
    }

    void print_types() {
        std::vector<std::pair<std::uint32_t, const type_figures*>> order;
        type_figures all;
        for (const auto& [type, figures] : types_) {
            order.emplace_back(type, &figures);
            all.created += figures.created;
            all.finished += figures.finished;
            all.failed += figures.failed;
            all.cancelled += figures.cancelled;
        }
        std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
            return a.second->run.sum() > b.second->run.sum();
        });
        table counts(
            {"tasks", "created", "finished", "failed", "cancelled", "runs", "run total", "of all"});
        double busy = 0;
        std::uint64_t runs = 0;
        for (const emitter_figures& each : emitters_) {
            busy += each.busy;
            runs += each.runs;
        }
        const auto add = [&](const std::string& name, const type_figures& f, double sum,
                             std::uint64_t run_count) {
            counts.add({name, format_count(f.created), format_count(f.finished),
                        format_count(f.failed), format_count(f.cancelled), format_count(run_count),
                        format_duration(sum), format_percent(busy > 0 ? sum / busy : 0)});
        };
        for (const auto& [type, figures] : order) {
            add(type_name(file_, type), *figures, figures->run.sum(), figures->run.count());
        }
        add("all", all, busy, runs);
        std::printf("\n");
        counts.print();
        std::printf("  %zu tasks were alive at the end\n", history_.live());

        table times({"run time", "p50", "p90", "p99", "max"});
        table delays({"time in a queue", "p50", "p90", "p99", "max"});
        for (const auto& [type, figures] : order) {
            std::vector<std::string> run{type_name(file_, type)};
            std::vector<std::string> delay = run;
            append_percentiles(run, figures->run);
            append_percentiles(delay, figures->delay);
            times.add(run);
            delays.add(delay);
        }
        std::printf("\n");
        times.print();
        std::printf("\n");
        delays.print();
    }

    void print_delays() const {
        table sources({"reached the worker by", "runs", "p50", "p90", "p99", "max"});
        for (const auto& [source, delays] : sources_) {
            std::vector<std::string> row{value_name(event::task_run, 2, source),
                                         format_count(delays.count())};
            append_percentiles(row, delays);
            sources.add(row);
        }
        if (sources.empty()) return;
        std::printf("\n");
        sources.print();
    }

    void print_waits() const {
        table waits({"suspended for", "times", "p50", "p90", "p99", "max"});
        for (const auto& [reason, times] : suspends_) {
            std::vector<std::string> row{value_name(event::task_suspend, 0, reason),
                                         format_count(times)};
            const auto known = waits_.find(reason);
            append_percentiles(row, known != waits_.end() ? known->second : histogram{});
            waits.add(row);
        }
        if (waits.empty()) return;
        std::printf("\n");
        waits.print();
    }

    void print_emitters() const {
        table workers({"thread", "runs", "busy", "parked", "parks", "steals", "stolen", "searches",
                       "deepest", "records", "lost"});
        for (std::size_t i = 0; i < emitters_.size(); ++i) {
            const emitter_figures& f = emitters_[i];
            const trace::recorded_emitter& e = file_.emitters[i];
            const std::string name = e.name.empty() ? "thread " + std::to_string(e.thread) : e.name;
            workers.add({name, format_count(f.runs), format_percent(f.busy / duration()),
                         format_percent(f.parked / duration()), format_count(f.parks),
                         format_count(f.steals), format_count(f.stolen), format_count(f.searches),
                         std::to_string(f.largest_depth), format_count(e.records),
                         format_count(e.lost)});
        }
        std::printf("\n");
        workers.print();
    }

    void print_rest() const {
        table rest({"also", "times", "p50", "p90", "p99", "max"});
        const auto add = [&](const char* name, event id, const histogram& h) {
            const std::uint64_t times = records_[static_cast<std::size_t>(id)];
            if (times == 0) return;
            std::vector<std::string> row{name, format_count(times)};
            if (h.count() > 0) append_percentiles(row, h);
            rest.add(row);
        };
        add("timers fired, lateness", event::timer_fire, lateness_);
        add("timers armed", event::timer_arm, {});
        add("cancel requests, to the end", event::task_cancel, cancel_latency_);
        add("injected", event::inject, {});
        add("workers notified", event::notify, {});
        add("I/O tried", event::io_submit, {});
        add("I/O became ready", event::io_ready, {});
        add("long runs", event::long_run, {});
        if (rest.empty()) return;
        std::printf("\n");
        rest.print();
        if (largest_injection_ > 0) {
            std::printf("  the injection queue held at most %s tasks\n",
                        format_count(largest_injection_).c_str());
        }
    }

    void print_losses() const {
        const std::string cost(file_.meta("record_cost_ps"));
        const double picoseconds = std::strtod(cost.c_str(), nullptr);
        const double spent = picoseconds / 1000 * static_cast<double>(file_.records + file_.lost);
        std::size_t workers = 0;
        for (const auto& e : file_.emitters) {
            workers += e.kind == static_cast<unsigned>(trace::emitter_kind::worker);
        }
        const double available =
            duration() * static_cast<double>(std::max<std::size_t>(workers, 1));
        std::printf(
            "\ntracing: %.1f ns a record, about %s of the workers' time; %s records lost, "
            "%s orders repaired%s\n",
            picoseconds / 1000, format_percent(spent / available).c_str(),
            format_count(file_.lost).c_str(), format_count(history_.repairs()).c_str(),
            file_.complete ? "" : "; the recording was not ended in order");
    }

    const trace::trace_file& file_;
    std::vector<emitter_figures> emitters_;
    std::map<std::uint32_t, type_figures> types_;
    std::map<unsigned, histogram> sources_;
    std::map<unsigned, histogram> waits_;
    std::map<unsigned, std::uint64_t> suspends_;
    std::array<std::uint64_t, 256> records_{};
    histogram lateness_;
    histogram cancel_latency_;
    std::uint64_t largest_injection_ = 0;
    task_history history_;
};

}  // namespace

int run_summary(int argc, char** argv) {
    if (::getopt(argc, argv, "") != -1) return 2;
    trace::trace_file file;
    if (!open_operand(argc, argv, optind, file)) return 1;
    summary(file).print();
    return 0;
}

}  // namespace weft::tracetool
