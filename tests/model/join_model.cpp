// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The join count under the model checker: a home that runs what nobody has taken, a thief, and a
// child that suspends and ends elsewhere. Whoever learns that no child is left goes on with the
// parent: exactly one, and it finds every result.
#include "engine/cases.hpp"
#include "support/catch.hpp"
#include "weft/task/join_count.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;
using weft::detail::join_count;

/// Two children; a join's parent, which may be resumed by others only once it is published.
struct small_join {
    join_count<env> count;
    env::cell<int> results[2] = {env::cell<int>{0}, env::cell<int>{0}};
    env::cell<int> resumptions{0};
    env::atomic<int> taken{0};      // the second child: stands for the deque
    env::atomic<int> published{0};  // stands for the parent's lifecycle word
    bool is_shared = false;         // home only

    explicit small_join(scenario& s) {
        s.name(count, "count");
        s.name(taken, "taken");
        s.name(published, "published");
        count.begin(2);
    }
    [[nodiscard]] const void* home() const noexcept { return this; }
    [[nodiscard]] bool take() { return taken.exchange(1, std::memory_order_relaxed) == 0; }

    void end_child(int child, const void* here) {
        results[child].store(1);
        if (here == home() && !is_shared) {
            if (count.count_local()) resume();
        } else if (count.count_shared()) {
            require(published.load(std::memory_order_acquire) == 1, "the parent is published");
            resume();
        }
    }
    void share() {
        is_shared = true;
        published.store(1, std::memory_order_release);
        if (count.share()) resume();
    }
    void resume() {
        require(results[0].load() == 1 && results[1].load() == 1, "every child has ended");
        resumptions.store(resumptions.load() + 1);
    }
    void check() { require(resumptions.load() == 1, "the parent goes on once"); }
};

const registered_case stolen({
    .structure = "join",
    .name = "the second child runs at home or is stolen",
    .kills = {mutation::join_forgets_its_own},
    .limits = {.preemptions = 4, .stale_loads = 2},
    .body =
        [](scenario& s) {
            small_join join(s);
            s.thread("home", [&] {
                join.end_child(0, join.home());
                if (join.take())
                    join.end_child(1, join.home());
                else
                    join.share();
            });
            s.thread("thief", [&] {
                if (join.take()) join.end_child(1, nullptr);
            });
            s.finally([&] { join.check(); });
        },
});

const registered_case suspended({
    .structure = "join",
    .name = "the first child suspends and ends elsewhere, the second at home or at a thief",
    .kills = {mutation::join_counts_locally_for_ever},
    .limits = {.preemptions = 3, .stale_loads = 2},
    .body =
        [](scenario& s) {
            small_join join(s);
            env::atomic<std::uint32_t> is_suspended{0};
            s.name(is_suspended, "suspended");
            s.thread("home", [&] {
                join.share();
                is_suspended.store(1, std::memory_order_release);
                env::futex_wake(is_suspended, 1);
                if (join.take()) join.end_child(1, join.home());
            });
            s.thread("thief", [&] {
                if (join.take()) join.end_child(1, nullptr);
            });
            s.thread("elsewhere", [&] {
                while (is_suspended.load(std::memory_order_acquire) == 0) {
                    env::futex_wait(is_suspended, 0, std::chrono::steady_clock::time_point::max());
                }
                join.end_child(0, nullptr);
            });
            s.finally([&] { join.check(); });
        },
});

}  // namespace

TEST_CASE("a join's parent goes on once, with every result", "[join]") { check_cases("join"); }

}  // namespace weft::model
