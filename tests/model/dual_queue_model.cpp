// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The dual queue of as_completed under the model checker, with tasks that wait in it
// (engine/modelled_task.hpp), their cancellers, and the count of its holders. Every item is kept by
// one task, nobody waits while an item is ready or after the last, and the last holder finds
// everybody gone.
#include "weft/combine/dual_queue.hpp"

#include <array>
#include <memory>

#include "engine/cases.hpp"
#include "engine/modelled_task.hpp"
#include "support/catch.hpp"
#include "weft/task/reference_count.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;
using queue = weft::detail::dual_queue<env>;
constexpr auto never = weft::detail::time_point::max();

struct numbered final : queue::item {
    env::cell<int> outcome{0};  // of the task that has ended; written before it is put
    int kept = 0;               // fibers share one thread, so plain numbers may count
};

/// What a task waits on: a taker in the frame of its await.
class await_next final : public completion_source, public queue::taker {
public:
    explicit await_next(queue& from) : from_(from) {}
    bool add(frame_operation* op) override {
        op_ = op;
        return from_.take_or_wait(*this);
    }
    bool remove(frame_operation* /*op*/) override { return from_.leave(*this); }
    bool holds(frame_operation* /*op*/) override { return false; }
    static void go_on(queue::taker* one) {
        if (one != nullptr) modelled_task::wake(*static_cast<await_next*>(one)->op_);
    }

private:
    queue& from_;
    frame_operation* op_ = nullptr;
};

/// The queue and its items, on the heap, as completion_queue has them.
struct results {
    queue line;
    std::unique_ptr<numbered[]> items;
    weft::detail::reference_count<env> holders;
    env::cell<int> uses{0};

    results(scenario& s, std::size_t size, std::uint32_t others)
        : line(size, never), items(std::make_unique<numbered[]>(size)) {
        s.name(*this, "results");
        holders.add(others);
    }
    void drop() {
        static_cast<void>(uses.load());
        if (!holders.drop()) return;
        uses.store(1);  // a race with each use that is not known to be over
        delete this;
    }
    void end(std::size_t which) {
        items[which].outcome.store(1);
        await_next::go_on(line.put(items[which]));
        drop();
    }
    enum class taken { item, all_taken, cancelled };
    taken take(modelled_task& task) {
        auto next = std::make_unique<await_next>(line);
        const bool is_cancelled = task.suspend(*next);
        const bool has_item = next->outcome() == queue::result::item;
        if (is_cancelled) {
            if (has_item) await_next::go_on(line.put_back(next->given()));
            return taken::cancelled;
        }
        if (!has_item) {
            require(next->outcome() == queue::result::all_taken, "resumed for a reason");
            return taken::all_taken;
        }
        auto& got = static_cast<numbered&>(next->given());
        require(got.outcome.load() == 1, "what ended is known to who is given it");
        require(++got.kept == 1, "an item is kept by one");
        line.confirm([](queue::taker& one) { await_next::go_on(&one); });
        return taken::item;
    }
};

/// Two tasks take one each of two; one of them may be cancelled, and then takes again.
scenario_body tickets(bool is_cancelled) {
    return [=](scenario& s) {
        auto* shared = new results(s, 2, 3);
        modelled_task first(s, "first"), second(s, "second");
        for (std::size_t i : {0u, 1u}) s.thread("finisher", [=] { shared->end(i); });
        for (modelled_task* const task : {&first, &second}) {
            const bool may_miss = task == &first;
            s.thread("taker", [=] {
                int rounds = 1;
                while (shared->take(*task) != results::taken::item) ++rounds;
                require(rounds == 1 || (is_cancelled && may_miss), "there is one for each");
                shared->drop();
                task->finish();
            });
        }
        if (is_cancelled) s.thread("canceller", [&] { static_cast<void>(first.cancel()); });
        s.finally([&] {
            first.expect_all_answered();
            second.expect_all_answered();
        });
    };
}

const registered_case two_each({
    .structure = "dual queue",
    .name = "two tasks take what two others end",
    .kills = {mutation::reference_dropped_relaxed},
    .limits = {.preemptions = 2, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body = tickets(false),
});

const registered_case cancelled_once({
    .structure = "dual queue",
    .name = "a task that is cancelled leaves its result to others, and takes again",
    .kills = {mutation::dual_leaves_twice},
    .limits = {.preemptions = 2, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body = tickets(true),
});

/// Tasks ask for the next of one item until there is none; the first may be cancelled, and goes.
scenario_body next_of_one(std::size_t takers, bool is_cancelled) {
    return [=](scenario& s) {
        auto* shared = new results(s, 1, static_cast<std::uint32_t>(takers));
        std::array<std::unique_ptr<modelled_task>, 3> tasks;
        int kept = 0;
        s.thread("finisher", [=] { shared->end(0); });
        for (std::size_t i = 0; i < takers; ++i) {
            modelled_task* task = (tasks[i] = std::make_unique<modelled_task>(s, "task")).get();
            s.thread("taker", [=, &kept] {
                results::taken got = shared->take(*task);
                for (; got == results::taken::item; got = shared->take(*task)) ++kept;
                require(got == results::taken::all_taken || (is_cancelled && i == 0), "the end");
                shared->drop();
                task->finish();
            });
        }
        if (is_cancelled) s.thread("canceller", [&] { static_cast<void>(tasks[0]->cancel()); });
        s.finally([&, takers] {
            require(kept == 1, "what one was given and does not want goes to another");
            for (std::size_t i = 0; i < takers; ++i) tasks[i]->expect_all_answered();
        });
    };
}

const registered_case end_of_all({
    .structure = "dual queue",
    .name = "all who wait learn that nothing is left",
    .kills = {mutation::dual_tells_one_of_the_end},
    .limits = {.preemptions = 2, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body = next_of_one(3, false),
});

const registered_case given_back({
    .structure = "dual queue",
    .name = "what a cancelled task gives back finds who waits",
    .kills = {mutation::dual_puts_back_without_look, mutation::dual_leaves_twice},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body = next_of_one(2, true),
});

}  // namespace

TEST_CASE("what has ended goes to one of those who wait, in whatever order both come",
          "[dual queue]") {
    check_cases("dual queue");
}

}  // namespace weft::model
