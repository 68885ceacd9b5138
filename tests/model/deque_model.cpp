// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The work deque under the model checker: every item is taken exactly once, whoever takes it sees
// what the pusher wrote into it, and nothing is lost when the ring grows or wraps.
#include "weft/queue/work_deque.hpp"

#include <array>
#include <memory>

#include "engine/cases.hpp"
#include "support/catch.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;

struct item {
    env::cell<int> payload;  // written by the pusher, read by the taker: needs an edge
    int taken = 0;           // bookkeeping of the test
};
using weft::detail::push_result;
using deque = weft::detail::work_deque<env, item>;

/// A deque with its items, and the final account.
struct bench {
    explicit bench(scenario& s, std::size_t capacity, std::size_t count)
        : tested(capacity), own(tested.owner()), items(new item[count]), item_count(count) {
        s.name(tested, "deque");
    }

    void push(std::size_t i) {
        items[i].payload.store(static_cast<int>(i) + 1);
        own.push(&items[i]);
    }
    void push_one_by_one() {
        push(0);
        push(1);
    }
    void push_both() {
        for (std::size_t i : {0u, 1u}) items[i].payload.store(static_cast<int>(i) + 1);
        const auto both = [&](std::int64_t, auto put) { put(&items[0]), put(&items[1]); };
        require(own.try_push_all(2, both) != push_result::no_room, "there is room");
    }
    bool take(item* got) {
        if (got == nullptr) return false;
        require(got->payload.load() == static_cast<int>(got - items.get()) + 1, "item is whole");
        require(++got->taken == 1, "an item is taken once");
        return true;
    }
    void pop() { take(own.pop()); }
    /// The next; from above others where that can be.
    void pop_above_others() {
        item* next = nullptr;
        if (own.pop_above_others(own.height(), next))
            take(next);
        else
            pop();
    }
    void take_front() { take(own.take_front()); }
    void take_front_if(std::size_t i) {
        if (own.take_front_if(&items[i])) take(&items[i]);
    }
    void steal() { take(tested.thief().steal().item); }
    void steal_fifo() { take(tested.thief().steal_fifo().item); }
    void expect_all_taken() {
        while (take(own.take_front())) {
        }
        for (std::size_t i = 0; i < item_count; ++i) require(items[i].taken == 1, "item is lost");
    }

    deque tested;
    deque::owner_handle own;
    std::unique_ptr<item[]> items;
    std::size_t item_count;
};

const registered_case last_item({
    .structure = "deque",
    .name = "an owner and a thief race for the last item",
    .kills = {mutation::deque_pop_last_without_cas, mutation::deque_push_relaxed},
    .limits = {.preemptions = 6, .stale_loads = 4},
    .body =
        [](scenario& s) {
            bench b(s, 2, 1);
            s.thread("owner", [&] {
                b.push(0);
                b.pop();
            });
            s.thread("thief", [&] { b.steal(); });
            s.finally([&] { b.expect_all_taken(); });
        },
});

const registered_case wanted_item({
    .structure = "deque",
    .name = "an owner wants the oldest of two items, and then the other, while a thief steals both",
    .kills = {mutation::deque_front_if_without_cas},
    .limits = {.preemptions = 4, .stale_loads = 4},
    .body =
        [](scenario& s) {
            bench b(s, 2, 2);
            b.push(0);
            b.push(1);
            s.thread("owner", [&] {
                b.take_front_if(1);  // not before it is the oldest
                b.take_front_if(0);
                b.take_front_if(1);
            });
            s.thread("thief", [&] {
                b.steal_fifo();
                b.steal_fifo();
            });
            s.finally([&] { b.expect_all_taken(); });
        },
});

/// An owner pushes two items and pops twice while a thief steals twice.
scenario_body pops_what_is_stolen(void (bench::*push)(), void (bench::*pop)()) {
    return [=](scenario& s) {
        bench b(s, 2, 2);
        s.thread("owner", [&b, push, pop] {
            (b.*push)();
            (b.*pop)();
            (b.*pop)();
        });
        s.thread("thief", [&] {
            b.steal();
            b.steal();
        });
        s.finally([&] { b.expect_all_taken(); });
    };
}

const registered_case two_items({
    .structure = "deque",
    .name = "an owner pops two items while a thief steals twice",
    .kills = {mutation::deque_pop_without_fence, mutation::deque_steal_without_fence},
    .limits = {.preemptions = 4, .stale_loads = 3},
    .body = pops_what_is_stolen(&bench::push_one_by_one, &bench::pop),
});

const registered_case two_at_once({
    .structure = "deque",
    .name = "an owner pushes two items at once and pops while a thief steals twice",
    .kills = {mutation::deque_push_relaxed, mutation::deque_pop_without_fence},
    .limits = {.preemptions = 4, .stale_loads = 3},
    .body = pops_what_is_stolen(&bench::push_both, &bench::pop),
});

const registered_case two_from_above({
    .structure = "deque",
    .name = "an owner pops from above others what a thief may steal",
    .kills = {mutation::deque_pop_without_fence},
    .limits = {.preemptions = 4, .stale_loads = 3},
    .body = pops_what_is_stolen(&bench::push_both, &bench::pop_above_others),
});

const registered_case two_thieves({
    .structure = "deque",
    .name = "two thieves and a popping owner share two items",
    .kills = {mutation::deque_pop_without_fence, mutation::deque_steal_without_fence,
              mutation::deque_steal_rereads_top},
    .limits = {.preemptions = 3, .stale_loads = 2},
    .body =
        [](scenario& s) {
            bench b(s, 2, 2);
            b.push(0);
            b.push(1);
            s.thread("owner", [&] {
                b.pop();
                b.pop();
            });
            s.thread("first thief", [&] { b.steal(); });
            s.thread("second thief", [&] { b.steal(); });
            s.finally([&] { b.expect_all_taken(); });
        },
});

const registered_case growing({
    .structure = "deque",
    .name = "the ring grows while a thief reads it",
    .kills = {mutation::deque_grow_publishes_early, mutation::deque_push_off_by_one},
    .limits = {.preemptions = 4, .stale_loads = 3},
    .body =
        [](scenario& s) {
            bench b(s, 2, 3);
            b.push(0);
            s.thread("owner", [&] {
                b.push(1);
                b.push(2);
                b.pop();
            });
            s.thread("thief", [&] {
                b.steal();
                b.steal();
            });
            s.finally([&] { b.expect_all_taken(); });
        },
});

const registered_case wrapping({
    .structure = "deque",
    .name = "slots are used again while a slow thief still reads them",
    .kills = {},
    .limits = {.preemptions = 3, .stale_loads = 2},
    .body =
        [](scenario& s) {
            bench b(s, 2, 4);
            b.push(0);
            b.push(1);
            s.thread("owner", [&] {
                b.take_front();
                b.push(2);
                b.take_front();
                b.push(3);
            });
            s.thread("thief", [&] { b.steal_fifo(); });
            s.finally([&] { b.expect_all_taken(); });
        },
});

const registered_case fifo({
    .structure = "deque",
    .name = "a fifo owner and a fifo thief meet without fences",
    .kills = {mutation::deque_push_relaxed},
    .limits = {.preemptions = 4, .stale_loads = 3},
    .body =
        [](scenario& s) {
            bench b(s, 4, 3);
            s.thread("owner", [&] {
                b.push(0);
                b.push(1);
                b.take_front();
                b.push(2);
                b.take_front();
            });
            s.thread("thief", [&] {
                b.steal_fifo();
                b.steal_fifo();
            });
            s.finally([&] { b.expect_all_taken(); });
        },
});

const registered_case batch({
    .structure = "deque",
    .name = "a thief moves half of a fifo deque while its owner and another thief take",
    .kills = {mutation::deque_batch_unclaimed},
    .limits = {.preemptions = 3, .stale_loads = 2},
    .body =
        [](scenario& s) {
            bench b(s, 4, 4);
            deque other(2);
            deque::owner_handle into = other.owner();
            for (std::size_t i = 0; i < 3; ++i) b.push(i);
            s.thread("owner", [&] {
                b.take_front();
                b.push(3);
            });
            s.thread("batch thief", [&] {
                auto got = b.tested.thief().steal_half(into);
                b.take(got.item);
                for (std::size_t i = 0; i < got.moved; ++i) b.take(into.take_front());
            });
            s.thread("thief", [&] { b.steal_fifo(); });
            s.finally([&] { b.expect_all_taken(); });
        },
});

const registered_case batch_while_pushing({
    .structure = "deque",
    .name = "a thief moves half of a fifo deque while its owner fills and grows it",
    .kills = {mutation::deque_push_relaxed, mutation::deque_grow_publishes_early},
    .limits = {.preemptions = 3, .stale_loads = 2},
    .body =
        [](scenario& s) {
            bench b(s, 2, 3);
            deque other(2);
            deque::owner_handle into = other.owner();
            s.thread("owner", [&] {
                for (std::size_t i = 0; i < 3; ++i) b.push(i);
            });
            s.thread("batch thief", [&] {
                auto got = b.tested.thief().steal_half(into);
                b.take(got.item);
                for (std::size_t i = 0; i < got.moved; ++i) b.take(into.take_front());
            });
            s.finally([&] { b.expect_all_taken(); });
        },
});

}  // namespace

TEST_CASE("the work deque hands every item to exactly one taker", "[deque]") {
    check_cases("deque");
}

}  // namespace weft::model
