// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The state of gather and wait under the model checker, with a task that waits
// (engine/modelled_task.hpp), children that end while it registers with them, cancellers and a
// looker. The task goes on once, when the outcome is decided and known to it, and what outlives the
// await is freed by the last who needs it.
#include "weft/combine/gather_state.hpp"

#include <array>
#include <memory>
#include <utility>

#include "engine/cases.hpp"
#include "engine/modelled_task.hpp"
#include "support/catch.hpp"
#include "weft/task/reference_count.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;
using holders = weft::detail::reference_count<env>;

/// A task's record as a gather sees it.
struct record {
    env::atomic<std::uint32_t> link{0};  // 1: somebody is registered, 2: it is done
    env::cell<int> outcome{0};           // 1: a value, 2: an error; written before it is done
    holders held;

    void retain() { held.add(); }
    void drop() {
        if (held.drop()) delete this;
    }
    [[nodiscard]] bool add_completion() {
        std::uint32_t none = 0;
        return link.compare_exchange_strong(none, 1, std::memory_order_acq_rel,
                                            std::memory_order_acquire);
    }
    /// True: somebody is to be told.
    [[nodiscard]] bool end(int how) {
        outcome.store(how);
        return link.exchange(2, std::memory_order_acq_rel) == 1;
    }
};

enum class mode { first_error, all };

class gather final : public weft::detail::gather_state<env, record> {
public:
    static constexpr std::size_t count = 2;

    gather(scenario& s, mode how, std::uint32_t others) : mode_(how) {
        s.name(*this, "gather");
        held_.add(others);
        for (auto& each : children) s.name(each, "child");
    }
    void drop() {
        if (held_.drop()) delete this;
    }
    /// True: nobody will wake it.
    [[nodiscard]] bool begin(record* awaiting, frame_operation* op) {
        awaiting_ = op;
        held_.add(count);
        return gather_state::begin(awaiting, count, [this](std::size_t i) {
            if (children[i].add_completion()) return false;
            const bool decided_here = is_decided_by(i);
            drop();
            return decided_here;
        });
    }
    void end(std::size_t i, int how) {
        if (children[i].end(how)) {
            if (is_decided_by(i)) wake();
            drop();
        }
        drop();  // of who ends the child, which is part of this
    }
    /// By handle: every child takes the request, and declines. What cancel() says.
    [[nodiscard]] bool cancel() {
        const auto ask = [this] {
            note_asked();
            return true;
        };
        return ask_children(ask, [this] { wake(); });
    }
    void check_outcome() {
        require(is_decided(), "the task goes on when the outcome is decided");
        if (record* const child = failed()) {
            require(mode_ == mode::first_error && child->outcome.load() == 2, "it has failed");
            return;
        }
        if (has_given_up) return;
        for (record& each : children) require(each.outcome.load() != 0, "all have ended");
    }

    std::array<record, count> children;
    bool has_given_up = false;  // fibers share one thread, so plain fields may be shared

private:
    [[nodiscard]] bool is_decided_by(std::size_t i) {
        const bool is_error = children[i].outcome.load() == 2;
        return child_done(mode_ == mode::first_error && is_error, &children[i]);
    }
    void wake() { modelled_task::wake(*awaiting_); }

    mode mode_;
    frame_operation* awaiting_ = nullptr;
    holders held_;
};

/// The await; a request to the task itself takes it out.
class await_all final : public completion_source {
public:
    await_all(gather& all, record* self) : all_(all), self_(self) {}
    ~await_all() { all_.forget_waiter(); }
    bool add(frame_operation* op) override { return !all_.begin(self_, op); }
    bool remove(frame_operation* /*op*/) override { return all_.has_given_up = all_.give_up(); }
    bool holds(frame_operation* /*op*/) override { return !all_.is_decided(); }

private:
    gather& all_;
    record* self_;
};

/// The awaiting task; its record goes with the last reference. True: it was cancelled.
bool wait_for(gather& all, modelled_task& task) {
    auto* const self = new record;
    bool is_cancelled = false;
    {
        await_all both(all, self);
        is_cancelled = task.suspend(both);
        all.check_outcome();
    }
    self->drop();
    task.finish();
    return is_cancelled;
}

scenario_body gathering(mode how, int first, int second, bool is_cancelled) {
    return [=](scenario& s) {
        auto* const all = new gather(s, how, gather::count);
        modelled_task task(s, "task");
        s.thread("owner", [&task, all, is_cancelled] {
            require(!wait_for(*all, task) || is_cancelled, "cancelled for a reason");
            all->drop();
        });
        s.thread("finisher", [=] { all->end(0, first); });
        s.thread("finisher", [=] { all->end(1, second); });
        if (is_cancelled) s.thread("canceller", [&] { static_cast<void>(task.cancel()); });
        s.finally([&] { task.expect_all_answered(); });
    };
}

const registered_case values({
    .structure = "gather",
    .name = "two children end while a task registers with them",
    .kills = {mutation::gather_forgets_its_own, mutation::reference_dropped_relaxed},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body = gathering(mode::all, 1, 1, false),
});

const registered_case errors({
    .structure = "gather",
    .name = "two children fail at once",
    .kills = {mutation::gather_decides_twice},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body = gathering(mode::first_error, 2, 2, false),
});

const registered_case given_up({
    .structure = "gather",
    .name = "a child fails, another ends, and somebody cancels the task that waits",
    .kills = {mutation::gather_decides_twice},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body = gathering(mode::first_error, 2, 1, true),
});

const registered_case by_handle({
    .structure = "gather",
    .name = "the children end while somebody cancels by a handle",
    .kills = {mutation::gather_ends_while_asked},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body =
        [](scenario& s) {
            auto* const all = new gather(s, mode::all, gather::count + 1);
            modelled_task task(s, "task");
            bool ended_cancelled = false, was_told = false;
            s.thread("owner", [&, all] {
                static_cast<void>(wait_for(*all, task));
                ended_cancelled = all->was_asked();
                all->drop();
            });
            for (std::size_t i : {0u, 1u}) s.thread("finisher", [=] { all->end(i, 1); });
            s.thread("canceller", [&, all] {
                was_told = all->cancel();
                all->drop();
            });
            s.finally([&] {
                require(was_told == ended_cancelled, "who cancels is told whether it does");
            });
        },
});

/// What a handle shows: nothing, or the outcome with all that belongs to it.
scenario_body watched(mode how, int first) {
    return [=](scenario& s) {
        auto* const all = new gather(s, how, gather::count + 1);
        modelled_task task(s, "task");
        s.thread("owner", [&task, all] {
            static_cast<void>(wait_for(*all, task));
            all->drop();
        });
        s.thread("finisher", [=] { all->end(0, first); });
        s.thread("finisher", [=] { all->end(1, 1); });
        s.thread("watcher", [=] {
            if (all->is_decided()) all->check_outcome();
            if (record* const child = all->failed())
                require(child->outcome.load() == 2, "it has failed");
            all->drop();
        });
        s.finally([] {});
    };
}

const registered_case watched_values({
    .structure = "gather",
    .name = "a handle shows the end of all",
    .kills = {},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body = watched(mode::all, 1),
});

const registered_case watched_error({
    .structure = "gather",
    .name = "a handle shows the error that decided",
    .kills = {},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body = watched(mode::first_error, 2),
});

const registered_case looked_at({
    .structure = "gather",
    .name = "two look for who waits while the await ends",
    .kills = {mutation::gather_leaves_during_look},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body =
        [](scenario& s) {
            auto* const all = new gather(s, mode::first_error, gather::count + 2);
            modelled_task task(s, "task");
            s.thread("owner", [&, all] {
                static_cast<void>(wait_for(*all, task));
                all->drop();
            });
            s.thread("finishers", [=] {
                all->end(0, 2);
                all->end(1, 1);
            });
            for (int i = 0; i < 2; ++i) {
                s.thread("looker", [=] {
                    // What leads to the gather is its place at a child that is not done.
                    if (all->children[0].link.load(std::memory_order_acquire) == 1) {
                        if (record* const found = all->waiter()) found->drop();
                    }
                    all->drop();
                });
            }
            s.finally([] {});
        },
});

}  // namespace

TEST_CASE("a gather ends once, with what decided it", "[gather]") { check_cases("gather"); }

}  // namespace weft::model
