// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The claim of a callback under the model checker: its runner and two who cancel it. One of them
// has the callable, alone, and each is told the truth.
#include "weft/task/callback_claim.hpp"

#include "engine/cases.hpp"
#include "support/catch.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;

struct callback {
    weft::detail::callback_claim<env> claim;
    env::cell<int> callable{1};
    int calls = 0;  // fibers share one thread, so plain numbers may count
    int cancels = 0;
    int refusals = 0;

    explicit callback(scenario& s) {
        s.name(claim, "claim");
        s.name(callable, "callable");
    }
    void destroy() {
        require(callable.load() == 1, "the callable is there for whoever has the claim");
        callable.store(0);
    }
    void run() {
        if (!claim.try_call()) return;
        ++calls;
        destroy();
    }
    void cancel() {
        if (claim.try_cancel()) {
            ++cancels;
            destroy();
        } else if (!claim.is_cancelled()) {
            ++refusals;
        }
    }
};

const registered_case one_claim({
    .structure = "callback",
    .name = "a callback is called or cancelled, once, and each canceller is told which",
    .kills = {mutation::callback_claimed_without_cas},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body =
        [](scenario& s) {
            callback one(s);
            s.thread("runner", [&] { one.run(); });
            for (int i = 0; i < 2; ++i) s.thread("canceller", [&] { one.cancel(); });
            s.finally([&] {
                require(one.calls + one.cancels == 1, "never both, never neither");
                require(one.refusals == 0 || one.calls == 1, "too late only for what is called");
                require(one.calls == 0 || one.refusals == 2, "and then for everybody");
            });
        },
});

}  // namespace

TEST_CASE("a callback is called once or was cancelled", "[callback]") { check_cases("callback"); }

}  // namespace weft::model
