// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Circles in the graph of who waits for whom. Its nodes are lines of execution: a task, or a child
// of a when_all. It is read task by task while tasks go on, so a circle in it may never have been
// there. So its tasks are looked at twice more, after the last was read: what has waited all the
// time has not let go of what it holds, nor do others hold what it waits for. Such a circle was
// there when the first reading ended, and is for good. Where one of several is enough, that goes
// for all of them, and for what keeps them: a line is stuck only with every way out.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "sched/runtime_core.hpp"
#include "task/describe.hpp"
#include "weft/sched/task_dump.hpp"

namespace weft {

namespace detail {

namespace {

class wait_graph {
public:
    /// Looks at every live task.
    explicit wait_graph(task_describer& with);
    /// Each as the tasks in it, in the order in which they wait for each other.
    [[nodiscard]] std::vector<await_chain> circles();

private:
    using index = std::size_t;
    struct owner {
        task_state* task;
        task_description told;
        std::uint64_t stamp;
    };
    struct node {
        index of;                        // owner
        bool one_is_enough = false;      // perhaps, of what it waits for; else it needs all of them
        bool is_stuck = true;            // until it is known better
        std::vector<index> waits_for{};  // nodes
        std::vector<index> waited_by{};
        std::size_t stuck_ones = 0;  // of those that it waits for
        enum class mark : std::uint8_t { fresh, on_path, seen } seen = mark::fresh;
    };

    void link(index line, const await_point& at);
    void wait_for(index line, index other);
    void find_who_may_go_on();
    void free(index line, std::vector<index>& freed);
    [[nodiscard]] index next_of(index line) const;
    [[nodiscard]] await_chain chain_from(index first) const;
    [[nodiscard]] std::vector<index> all_that_keep(index line) const;
    [[nodiscard]] bool still_wait(const std::vector<index>& lines);

    task_describer& with_;
    std::vector<owner> owners_;
    std::vector<node> nodes_;
    std::unordered_map<std::uint64_t, index> line_of_task_;
};

wait_graph::wait_graph(task_describer& with) : with_(with) {
    for (const any_task& each : with.live().all()) {
        task_state& task = *task_access::state(each);
        task_description told = with.describe(task);
        if (told.phase != task_phase::waiting) continue;
        owners_.push_back({&task, std::move(told), with.stamp()});
    }
    for (index i = 0; i < owners_.size(); ++i) {
        nodes_.push_back({.of = i});
        line_of_task_.emplace(owners_[i].told.id, i);
    }
    for (index i = 0; i < owners_.size(); ++i) link(i, owners_[i].told.at);
}

void wait_graph::link(index line, const await_point& at) {
    nodes_[line].one_is_enough = at.one_is_enough || at.one_failure_is_enough;
    bool is_all_here = !at.is_cut;
    for (const awaited_task& each : at.tasks) {
        const auto found = line_of_task_.find(each.id);
        if (found != line_of_task_.end())
            wait_for(line, found->second);
        else
            is_all_here = false;
    }
    for (const await_point& child : at.children) {
        const index added = nodes_.size();
        nodes_.push_back({.of = nodes_[line].of});
        wait_for(line, added);
        link(added, child);
    }
    const bool may_be_another = nodes_[line].one_is_enough && !is_all_here;
    if (may_be_another || at.is_open || at.has_limit) nodes_[line].stuck_ones = 0;
}

void wait_graph::wait_for(index line, index other) {
    nodes_[line].waits_for.push_back(other);
    nodes_[other].waited_by.push_back(line);
    ++nodes_[line].stuck_ones;
}

/// A line is stuck as long as it waits for one that is, or, where one is enough, for none but
/// those.
void wait_graph::find_who_may_go_on() {
    std::vector<index> freed;
    for (index i = 0; i < nodes_.size(); ++i) {
        if (nodes_[i].stuck_ones == 0) free(i, freed);
    }
    while (!freed.empty()) {
        const index line = freed.back();
        freed.pop_back();
        for (const index other : nodes_[line].waited_by) {
            node& waiting = nodes_[other];
            if (!waiting.is_stuck) continue;
            if (waiting.one_is_enough || --waiting.stuck_ones == 0) free(other, freed);
        }
    }
}

void wait_graph::free(index line, std::vector<index>& freed) {
    nodes_[line].is_stuck = false;
    freed.push_back(line);
}

/// Of a line that is stuck: so there is one.
auto wait_graph::next_of(index line) const -> index {
    return *std::ranges::find_if(nodes_[line].waits_for,
                                 [this](index other) { return nodes_[other].is_stuck; });
}

std::vector<await_chain> wait_graph::circles() {
    using mark = node::mark;
    find_who_may_go_on();
    std::vector<await_chain> found;
    for (index i = 0; i < owners_.size(); ++i) {
        if (!nodes_[i].is_stuck || nodes_[i].seen != mark::fresh) continue;
        index at = i;
        for (; nodes_[at].seen == mark::fresh; at = next_of(at)) nodes_[at].seen = mark::on_path;
        if (nodes_[at].seen == mark::on_path) {
            const std::vector<index> lines = all_that_keep(at);
            if (still_wait(lines) && still_wait(lines)) found.push_back(chain_from(at));
        }
        for (at = i; nodes_[at].seen == mark::on_path; at = next_of(at)) {
            nodes_[at].seen = mark::seen;
        }
    }
    return found;
}

/// Begins with the oldest task.
await_chain wait_graph::chain_from(index first) const {
    await_chain chain{.tasks = {}, .is_circle = true};
    index line = first;
    do {
        const task_description& told = owners_[nodes_[line].of].told;
        if (chain.tasks.empty() || chain.tasks.back().id != told.id) chain.tasks.push_back(told);
        line = next_of(line);
    } while (line != first);
    auto& tasks = chain.tasks;
    if (tasks.size() > 1 && tasks.front().id == tasks.back().id) tasks.pop_back();
    std::ranges::rotate(tasks, std::ranges::min_element(tasks, {}, &task_description::id));
    return chain;
}

/// The lines because of which `line` is stuck: the circle, and where one is enough what lies beside
/// it. Each as one of the task that it belongs to.
auto wait_graph::all_that_keep(index line) const -> std::vector<index> {
    std::vector<index> lines{line};
    std::unordered_set<index> seen{line};
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const node& at = nodes_[lines[i]];
        const index one = next_of(lines[i]);
        for (const index other : at.waits_for) {
            const bool matters = at.one_is_enough || other == one;
            if (matters && seen.insert(other).second) lines.push_back(other);
        }
    }
    return lines;
}

bool wait_graph::still_wait(const std::vector<index>& lines) {
    std::unordered_set<index> seen;
    return std::ranges::all_of(lines, [&](index line) {
        const owner& then = owners_[nodes_[line].of];
        if (!seen.insert(nodes_[line].of).second) return true;
        static_cast<void>(with_.describe(*then.task));
        return with_.stamp() == then.stamp;
    });
}

}  // namespace

std::vector<await_chain> find_circles(runtime_port& of) {
    task_describer with;
    with.survey(of);
    return wait_graph{with}.circles();
}

}  // namespace detail

std::vector<await_chain> find_deadlocks() {
    return detail::find_circles(detail::worker_for_create_task().runtime());
}

std::vector<await_chain> find_deadlocks(const runtime& target) {
    return detail::find_circles(detail::runtime_access::port(target));
}

}  // namespace weft
