// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The strand's queue under the model checker: jobs, a wait and its canceller come while a driver
// works. Everything runs once, alone, in the order in which its poster queued it, and each driver
// that a job brings is started once.
#include "weft/sync/strand_queue.hpp"

#include "engine/cases.hpp"
#include "support/catch.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;
using node = weft::detail::strand_node<env>;
using queue = weft::detail::strand_queue<env>;

struct job : node {
    job(int from, int at) : node(false), poster(from), number(at) {}
    int poster;
    int number;  // of its poster's, from 1
};

struct wait : node, weft::detail::strand_claim<env> {
    wait() : node(true) {}
    void wake() {
        woken.store(1, std::memory_order_release);
        env::futex_wake(woken, 1);
    }
    void until_woken() {
        while (woken.load(std::memory_order_acquire) == 0) {
            env::futex_wait(woken, 0, std::chrono::steady_clock::time_point::max());
        }
    }
    void release() {
        if (drop()) delete this;
    }
    env::atomic<std::uint32_t> woken{0};  // stands for the owner's lifecycle word
};

/// What starts or wakes a driver runs it in place: it has no thread of its own.
struct small_strand {
    queue jobs;
    env::cell<int> done{0};            // what ran, in all
    env::cell<int> last[2]{};          // the last number of each poster
    env::cell<bool> is_driven{false};  // a driver is at work, or parked
    env::cell<bool> is_parked{false};
    int made = 0;  // drivers; fibers share one thread, so plain numbers may count
    int started = 0;

    explicit small_strand(scenario& s) { s.name(jobs, "strand"); }

    void work() { done.store(done.load() + 1); }
    void post(int poster, int number) {
        auto* added = new job(poster, number);
        if (jobs.try_push(*added)) return;
        switch (jobs.push_with_driver(*added)) {
            case queue::push_result::start_driver:
                ++made;
                return start();
            case queue::push_result::queued_with_driver:
                ++made;
                return;
            case queue::push_result::queued:
                return;
        }
    }
    void start() {
        ++started;
        require(!is_driven.load(), "one driver at a time");
        is_driven.store(true);
        drive();
    }
    void run(job& next) {
        require(last[next.poster].load() == next.number - 1, "in the order of its poster");
        last[next.poster].store(next.number);
        work();
        delete &next;
    }
    void drive() {
        for (;;) {
            node* first = jobs.take();
            if (first == nullptr) {
                is_driven.store(false);
                if (jobs.rest(true) == queue::rest_result::idle) return;
                is_driven.store(true);
            } else if (!first->is_wait) {
                run(static_cast<job&>(*first));
            } else if (hand_over(static_cast<wait&>(*first))) {
                return;
            }
        }
    }
    bool hand_over(wait& next) {
        const bool ends = jobs.try_retire_driver();
        if (ends) is_driven.store(false);
        is_parked.store(!ends);
        const bool is_given = next.claim();
        if (is_given)
            next.wake();
        else if (ends)
            pass_on();
        else
            is_parked.store(false);
        next.release();
        return is_given || ends;
    }
    void pass_on() {
        for (;;) {
            node* first = jobs.take();
            if (first == nullptr) {
                const auto result = jobs.rest(false);
                if (result == queue::rest_result::idle) return;
                if (result == queue::rest_result::driver_waits) return wake_driver();
                continue;
            }
            if (!first->is_wait) {
                const bool starts = first->brings_driver.load();
                jobs.put_back(*first);
                return starts ? start() : wake_driver();
            }
            auto& next = static_cast<wait&>(*first);
            const bool is_given = next.claim();
            if (is_given) next.wake();
            next.release();
            if (is_given) return;
        }
    }
    void wake_driver() {
        require(is_parked.load(), "a driver waits for the jobs that are left");
        is_parked.store(false);
        drive();
    }
    /// The owner of a wait, which keeps its reference. True: it had the strand.
    bool have(wait& mine) {
        if (jobs.push_or_acquire(mine)) {
            mine.release();
        } else {
            mine.until_woken();
            if (!mine.is_granted()) return false;
        }
        work();
        pass_on();
        return true;
    }
    void check(int expected) {
        require(jobs.try_acquire(), "the strand is idle in the end");
        require(done.load() == expected, "everything ran");
        require(made == started, "each driver that a job brought was started");
    }
};

const registered_case posting({
    .structure = "strand",
    .name = "two post while the driver of one of them works",
    .kills = {mutation::strand_rests_over_new_jobs, mutation::strand_takes_newest_first,
              mutation::strand_forgets_the_driver},
    .limits = {.preemptions = 3, .stale_loads = 2},
    .body =
        [](scenario& s) {
            small_strand strand(s);
            s.thread("first", [&] {
                strand.post(0, 1);
                strand.post(0, 2);
            });
            s.thread("second", [&] {
                strand.post(1, 1);
                strand.post(1, 2);
            });
            s.finally([&] { strand.check(4); });
        },
});

const registered_case waiting({
    .structure = "strand",
    .name = "a coroutine has the strand between two jobs",
    .kills = {mutation::strand_driver_leaves_its_jobs},
    .limits = {.preemptions = 2, .stale_loads = 1},
    .body =
        [](scenario& s) {
            small_strand strand(s);
            auto* mine = new wait;
            s.thread("first", [&] { strand.post(0, 1); });
            s.thread("owner", [&, mine] {
                require(strand.have(*mine), "nobody withdraws it");
                mine->release();
            });
            s.thread("second", [&] { strand.post(1, 1); });
            s.finally([&] { strand.check(3); });
        },
});

const registered_case idle({
    .structure = "strand",
    .name = "two find the strand idle, one after the other",
    .kills = {},
    .limits = {.preemptions = 4, .stale_loads = 2},
    .body =
        [](scenario& s) {
            small_strand strand(s);
            for (int i = 0; i < 2; ++i) {
                s.thread("owner", [&] {
                    if (strand.jobs.try_acquire()) {
                        strand.work();
                        return strand.pass_on();
                    }
                    auto* mine = new wait;
                    require(strand.have(*mine), "nobody withdraws it");
                    mine->release();
                });
            }
            s.finally([&] { strand.check(2); });
        },
});

const registered_case withdrawing({
    .structure = "strand",
    .name = "a wait is withdrawn while its turn comes",
    .kills = {mutation::strand_grants_what_was_withdrawn},
    .limits = {.preemptions = 2, .stale_loads = 1},
    .body =
        [](scenario& s) {
            small_strand strand(s);
            auto* mine = new wait;
            int had = 0;
            // The owner's reference stays while the canceller looks.
            env::atomic<std::uint32_t> is_over{0};
            s.thread("poster", [&] { strand.post(0, 1); });
            s.thread("owner", [&, mine] {
                had = strand.have(*mine) ? 1 : 0;
                while (is_over.load(std::memory_order_acquire) == 0) {
                    env::futex_wait(is_over, 0, std::chrono::steady_clock::time_point::max());
                }
                mine->release();
            });
            s.thread("canceller", [&, mine] {
                if (mine->withdraw()) mine->wake();
                is_over.store(1, std::memory_order_release);
                env::futex_wake(is_over, 1);
            });
            s.finally([&] { strand.check(1 + had); });
        },
});

}  // namespace

TEST_CASE("a strand runs everything once, alone and in order", "[strand]") {
    check_cases("strand");
}

}  // namespace weft::model
