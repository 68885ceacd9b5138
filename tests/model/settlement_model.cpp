// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A future's settlement under the model checker, with the real lifecycle word: producers race with
// each other and with cancellers. It is settled once, with the result of the producer that was told
// so, or as cancelled, if a request was accepted.
#include "weft/task/settlement.hpp"

#include "engine/cases.hpp"
#include "support/catch.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;
using life = weft::detail::lifecycle<env>;

struct future {
    life word;
    weft::detail::settlement<env> settling;
    env::cell<int> result{0};   // the number of the producer; 0: none
    env::cell<int> outcome{0};  // the same; -1: cancelled
    int settled = 0;            // fibers share one thread, so plain numbers may count
    int told = 0;               // the producer that was told that it was the one
    int accepted = 0;

    explicit future(scenario& s) {
        s.name(word, "word");
        s.name(settling, "claimed");
        require(word.try_suspend() == life::suspension::suspended, "it waits from the start");
    }
    void settle() {
        require(++settled == 1, "it is settled once");
        const int made = result.load();
        if (made != 0) {
            outcome.store(made);
            if (word.finish(true)) return;
        }
        outcome.store(-1);
        static_cast<void>(word.finish(false));
    }
    void produce(int number) {
        if (!settling.claim()) return;
        result.store(number);
        settling.publish(word, [this] { settle(); }, [] { env::relax(); });
        if (outcome.load() != number) return;
        require(told == 0, "one producer is told that it was the one");
        told = number;
    }
    void cancel() {
        const life::ticket answer = word.request();
        if (answer.duty == life::cancel_duty::refused) return;
        ++accepted;
        if (answer.duty != life::cancel_duty::handle_operation) return;
        life::release_duty next = life::release_duty::handle_again;
        while (next == life::release_duty::handle_again) {
            next = word.release(settling.claim() ? life::cancel_outcome::unlinked
                                                 : life::cancel_outcome::lost);
            if (next == life::release_duty::enqueue) settle();
        }
    }
    void check() {
        require(settled == 1 && word.is_done(), "it has an outcome");
        require(accepted == 0 || outcome.load() == -1, "an accepted request is met");
        require(outcome.load() == (told == 0 ? -1 : told), "the outcome is what one was told");
    }
};

const registered_case producers({
    .structure = "settlement",
    .name = "two producers race",
    .kills = {mutation::settlement_claims_twice},
    .limits = {.preemptions = 4, .stale_loads = 2},
    .body =
        [](scenario& s) {
            future f(s);
            s.thread("first", [&] { f.produce(1); });
            s.thread("second", [&] { f.produce(2); });
            s.finally([&] {
                f.check();
                require(f.told != 0, "nobody cancels");
            });
        },
});

const registered_case producer_and_cancellers({
    .structure = "settlement",
    .name = "a producer races with two cancellers",
    .kills = {mutation::settlement_settles_while_held},
    .limits = {.preemptions = 3, .stale_loads = 2},
    .body =
        [](scenario& s) {
            future f(s);
            s.thread("producer", [&] { f.produce(1); });
            s.thread("canceller", [&] { f.cancel(); });
            s.thread("another", [&] { f.cancel(); });
            s.finally([&] { f.check(); });
        },
});

}  // namespace

TEST_CASE("a future is settled once, whoever races for it") { check_cases("settlement"); }

}  // namespace weft::model
