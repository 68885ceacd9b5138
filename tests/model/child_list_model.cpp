// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The child list under the model checker: children come while two askers mark and walk. Each child
// learns of each asker, from the walk or from the marks, and finds what the asker wrote before.
#include "engine/cases.hpp"
#include "support/catch.hpp"
#include "weft/task/child_list.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;

struct child {
    child* next = nullptr;
    env::atomic<unsigned> asked{0};
};

struct family {
    weft::detail::child_list<env, child> list;
    child children[2];
    env::cell<int> reasons[2] = {env::cell<int>{0}, env::cell<int>{0}};

    explicit family(scenario& s) {
        s.name(children[0].asked, "asked 0");
        s.name(children[1].asked, "asked 1");
    }
    void come(int which) {
        child& self = children[which];
        const unsigned marks = list.add(self);
        for (unsigned asker : {0u, 1u}) {
            if ((marks & (1u << asker)) == 0) continue;
            require(reasons[asker].load() == 1, "the reason is there");
            self.asked.fetch_or(1u << asker, std::memory_order_relaxed);
        }
    }
    void ask(unsigned asker) {
        reasons[asker].store(1);
        list.mark(1u << asker);
        for (child* node = list.first(); node != nullptr; node = node->next) {
            node->asked.fetch_or(1u << asker, std::memory_order_relaxed);
        }
    }
    void check(unsigned askers) {
        for (child& each : children) {
            require(each.asked.load(std::memory_order_relaxed) == askers,
                    "every child was asked by everybody");
        }
    }
};

const registered_case one_asker({
    .structure = "child list",
    .name = "two children come while one asks",
    .kills = {mutation::child_looks_before_it_is_added},
    .limits = {.preemptions = 4, .stale_loads = 2},
    .body =
        [](scenario& s) {
            family f(s);
            s.thread("first child", [&] { f.come(0); });
            s.thread("second child", [&] { f.come(1); });
            s.thread("asker", [&] { f.ask(0); });
            s.finally([&] { f.check(1); });
        },
});

const registered_case two_askers({
    .structure = "child list",
    .name = "children come one after the other while two ask",
    .kills = {},
    .limits = {.preemptions = 3, .stale_loads = 2},
    .body =
        [](scenario& s) {
            family f(s);
            s.thread("children", [&] {
                f.come(0);
                f.come(1);
            });
            s.thread("one", [&] { f.ask(0); });
            s.thread("other", [&] { f.ask(1); });
            s.finally([&] { f.check(3); });
        },
});

// As the level of a cancel scope that is raised after an ordinary request.
const registered_case asked_again({
    .structure = "child list",
    .name = "a child comes while one asks, and then asks for more",
    .kills = {mutation::child_mark_is_not_repeated},
    .limits = {.preemptions = 4, .stale_loads = 2},
    .body =
        [](scenario& s) {
            family f(s);
            env::atomic<int> level{0};
            env::atomic<bool> heard{false};
            s.name(level, "level");
            s.name(heard, "heard");
            s.thread("child", [&] {
                const bool asked = f.list.add(f.children[0]) != 0;
                if (asked && level.load(std::memory_order_relaxed) == 1)
                    heard.store(true, std::memory_order_relaxed);
            });
            s.thread("asker", [&] {
                f.list.mark(1);
                level.store(1, std::memory_order_relaxed);
                f.list.mark(1);
                if (f.list.first() != nullptr) heard.store(true, std::memory_order_relaxed);
            });
            s.finally(
                [&] { require(heard.load(std::memory_order_relaxed), "the child knows of more"); });
        },
});

}  // namespace

TEST_CASE("a child that becomes a runnable is asked by everybody who asks", "[child list]") {
    check_cases("child list");
}

}  // namespace weft::model
