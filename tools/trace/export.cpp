// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// weft-trace export: draws a recording for other viewers. For Perfetto: one track for each thread
// with the runs of its tasks, one lane for each task that lives at the same time as others of its
// type, with what it waited for, and arrows from each wake-up to the run that it led to.

#include <getopt.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "commands.hpp"
#include "perfetto.hpp"
#include "task_history.hpp"
#include "weft/trace/layout.hpp"

namespace weft::tracetool {

namespace {

using trace::event;
using trace::recorded_event;

constexpr std::uint64_t process_uuid = 1;
constexpr std::uint64_t live_uuid = 2;
constexpr std::uint64_t first_emitter_uuid = 1000;
constexpr std::uint64_t first_lane_uuid = 1'000'000;

class perfetto_export : public history_listener {
public:
    perfetto_export(const trace::trace_file& file, std::FILE* out)
        : file_(file), writer_(out), history_(file, *this) {}

    std::uint64_t run() {
        if (!file_.clocks.empty()) writer_.clocks(file_.clocks.front());
        const std::uint64_t process =
            std::strtoull(std::string(file_.meta("process")).c_str(), nullptr, 10);
        writer_.process_track(process_uuid, process, std::string(file_.meta("command")));
        writer_.counter_track(live_uuid, process_uuid, "live tasks");
        for (std::size_t i = 0; i < file_.emitters.size(); ++i) {
            const auto& e = file_.emitters[i];
            writer_.thread_track(first_emitter_uuid + i, process, e.thread,
                                 e.name.empty() ? "thread " + std::to_string(e.thread) : e.name);
        }
        history_.walk();
        for (const auto& [task, open] : lanes_) {
            writer_.end(open.track, history_.last());
            writer_.end(open.track, history_.last());
        }
        return writer_.packets();
    }

    void created(const task_record& task, const recorded_event& e, std::uint64_t now) override {
        writer_.instant(first_emitter_uuid + e.emitter, now, "create",
                        {{"task", task.id}, {"type", 0, type_name(file_, task.type)}}, task.flow);
        if (lanes_.contains(task.id)) return;
        open_lane(task, now, "ready");
        writer_.count(live_uuid, now, lanes_.size());
    }

    void run_begins(const task_record& task, const recorded_event& e, std::uint64_t now,
                    std::uint64_t delay, bool knows_delay) override {
        const auto fields = trace::unpack(trace::layout_of(e.id), e.payload);
        std::vector<annotation> notes = {{"task", task.id},
                                         {"source", 0, value_name(event::task_run, 2, fields[2])},
                                         {"queue length", fields[3]}};
        if (knows_delay) notes.push_back({"queued ns", delay});
        writer_.begin(first_emitter_uuid + e.emitter, now, task_title(task), notes, task.flow);
        change_lane(task, now, "running on " + file_.emitters[e.emitter].name);
    }

    void run_ends(const task_record& task, std::uint64_t now, std::uint64_t,
                  bool suspended) override {
        writer_.end(first_emitter_uuid + task.emitter, now);
        std::string state = "ready";
        if (suspended && task.state != task_state::ready) {
            state = "waits: " + value_name(event::task_suspend, 0, task.reason);
        } else if (!suspended) {
            state = "not running";
        }
        change_lane(task, now, state, task.site);
    }

    void woken(const task_record& task, const recorded_event& e, std::uint64_t now, std::uint64_t,
               bool) override {
        writer_.instant(first_emitter_uuid + e.emitter, now, "wake", {{"task", task.id}},
                        task.flow);
        if (task.state == task_state::ready) change_lane(task, now, "ready");
    }

    void finished(const task_record& task, const recorded_event&, std::uint64_t now) override {
        const auto found = lanes_.find(task.id);
        if (found == lanes_.end()) return;
        writer_.end(found->second.track, now);
        writer_.end(found->second.track, now);
        free_[found->second.type].insert(found->second.track);
        lanes_.erase(found);
        writer_.count(live_uuid, now, lanes_.size());
    }

    void record(const recorded_event& e, std::uint64_t now) override {
        const std::uint64_t track = first_emitter_uuid + e.emitter;
        if (e.lost > 0) writer_.instant(track, now, "records lost", {{"count", e.lost}});
        switch (e.id) {
            case event::none:
            case event::task_create:
            case event::task_run:
            case event::task_suspend:
            case event::task_finish:
            case event::task_wake:
                return;  // drawn above
            default:
                writer_.instant(track, now, event_title(e), event_notes(e));
        }
    }

private:
    struct lane {
        std::uint64_t track;
        std::uint32_t type;
    };

    [[nodiscard]] std::string value_name(event id, std::size_t field, std::uint64_t value) const {
        const auto* layout = file_.layout_for(id);
        if (layout == nullptr || field >= layout->fields.size()) return std::to_string(value);
        const auto& names = layout->fields[field].values;
        return value < names.size() ? names[value] : std::to_string(value);
    }

    [[nodiscard]] std::string task_title(const task_record& task) const {
        const auto name = file_.task_names.find(task.id);
        return name != file_.task_names.end() ? name->second : type_name(file_, task.type);
    }

    [[nodiscard]] std::string event_title(const recorded_event& e) const {
        const auto* layout = file_.layout_for(e.id);
        return layout != nullptr ? layout->name : "event " + std::to_string(static_cast<int>(e.id));
    }

    [[nodiscard]] std::vector<annotation> event_notes(const recorded_event& e) const {
        const auto* layout = file_.layout_for(e.id);
        if (layout == nullptr) return {{"payload", e.payload}};
        std::vector<annotation> notes;
        const auto values = file_.fields(e);
        for (std::size_t i = 0; i < values.size(); ++i) {
            const auto& field = layout->fields[i];
            annotation note{field.name.c_str(), values[i]};
            if (field.kind == trace::field_kind::duration) {
                note.number = trace::unpack_duration(values[i]);
            } else if (!field.values.empty()) {
                note.text = value_name(e.id, i, values[i]);
            }
            notes.push_back(note);
        }
        return notes;
    }

    lane& open_lane(const task_record& task, std::uint64_t now, const std::string& state) {
        // The smallest free lane of the type: a million tasks need as many lanes as ever lived at
        // the same time.
        auto& spare = free_[task.type];
        if (spare.empty()) {
            spare.insert(first_lane_uuid + lane_count_);
            writer_.track(first_lane_uuid + lane_count_++, process_uuid,
                          "tasks: " + type_name(file_, task.type));
        }
        const lane taken{*spare.begin(), task.type};
        spare.erase(spare.begin());
        writer_.begin(taken.track, now, task_title(task), {{"task", task.id}});
        writer_.begin(taken.track, now, state);
        return lanes_[task.id] = taken;
    }

    void change_lane(const task_record& task, std::uint64_t now, const std::string& state,
                     std::uint32_t site = 0) {
        const auto found = lanes_.find(task.id);
        if (found == lanes_.end()) {
            open_lane(task, now, state);
            return;
        }
        std::vector<annotation> notes;
        if (const auto* place = file_.location(trace::id_space::site, site)) {
            notes.push_back({"at", 0, place->file + ":" + std::to_string(place->line)});
        }
        writer_.end(found->second.track, now);
        writer_.begin(found->second.track, now, state, notes);
    }

    const trace::trace_file& file_;
    perfetto_writer writer_;
    std::map<trace::task_id, lane> lanes_;
    std::map<std::uint32_t, std::set<std::uint64_t>> free_;
    std::uint64_t lane_count_ = 0;
    task_history history_;
};

}  // namespace

int run_export(int argc, char** argv) {
    static constexpr option long_options[] = {
        {"to", required_argument, nullptr, 't'},
        {"output", required_argument, nullptr, 'o'},
        {nullptr, 0, nullptr, 0},
    };
    std::string format, path;
    int letter;
    while ((letter = ::getopt_long(argc, argv, "t:o:", long_options, nullptr)) != -1) {
        if (letter == 't') format = optarg;
        if (letter == 'o') path = optarg;
        if (letter == '?') return 2;
    }
    if (format != "perfetto") return fail("export --to perfetto: no other format yet", 2);
    trace::trace_file file;
    if (!open_operand(argc, argv, optind, file)) return 1;
    if (path.empty()) path = std::string(argv[optind]) + ".perfetto-trace";
    std::FILE* out = std::fopen(path.c_str(), "wb");
    if (out == nullptr) return fail(path + ": " + std::strerror(errno));
    const std::uint64_t packets = perfetto_export(file, out).run();
    const bool failed = std::ferror(out) != 0;
    if (std::fclose(out) != 0 || failed) return fail(path + ": " + std::strerror(errno));
    std::fprintf(stderr, "weft-trace: %s: %" PRIu64 " packets from %" PRIu64 " records\n",
                 path.c_str(), packets, file.records);
    return 0;
}

}  // namespace weft::tracetool
