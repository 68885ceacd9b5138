// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/future.hpp"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

/// Whoever is cancelled takes the task that keeps the promise with it. And for the gate: at the end
/// of the runtime that task may be cancelled first, which keeps the promise.
coro<> wait_for_future(gate& g) {
    promise<> p;
    future<> f = p.get_future();
    task<> opened = create_task(pass(g));
    opened.add_done_callback([kept = std::move(p)](any_task) { kept.try_set_result(); });
    const scope_exit stops([opened] { opened.cancel(); });
    co_await f;
    co_await g;
}

coro<int> value_of(future<int> f) { co_return co_await f; }

coro<> value_by_reference_and_by_move() {
    promise<std::unique_ptr<int>> p;
    future<std::unique_ptr<int>> f = p.get_future();
    future<std::unique_ptr<int>> other = p.get_future();
    CHECK(f == other);
    p.set_result(std::make_unique<int>(5));
    std::unique_ptr<int>& seen = co_await f;
    CHECK(*seen == 5);
    const std::unique_ptr<int> moved = co_await std::move(f);
    CHECK(*moved == 5);
    CHECK_FALSE(static_cast<bool>(f));
    CHECK(other.result() == nullptr);

    promise<std::string> text;
    text.set_result({'a', 'b'});
    const std::string& set = co_await text.get_future();
    CHECK(set == "ab");
}

coro<> error_for_everybody() {
    promise<int> p;
    future<int> f = p.get_future();
    task<int> first = create_task(value_of(f));
    task<int> second = create_task(value_of(f));
    co_await yield();
    p.set_exception(std::make_exception_ptr(std::invalid_argument("bad")));
    const auto outcomes = co_await gather_settled(first, second);
    CHECK(text_of(std::get<0>(outcomes).error()) == "bad");
    CHECK(text_of(std::get<1>(outcomes).error()) == "bad");
    CHECK(text_of(f.exception()) == "bad");
    CHECK_FALSE(f.cancelled());
    CHECK_THROWS_AS(p.set_exception(nullptr), std::invalid_argument);
}

coro<int> value_behind_a_shield(future<int> f) { co_return co_await shield(f); }

/// Throws when it is moved.
struct unwilling {
    unwilling() = default;
    unwilling(unwilling&&) { throw std::domain_error("will not move"); }
};

coro<> value_that_throws() {
    promise<unwilling> p;
    future<unwilling> f = p.get_future();
    CHECK(p.try_set_result(unwilling{}));
    CHECK(text_of(f.exception()) == "will not move");
    co_return;
}

coro<> cancelling_an_awaiting_task() {
    promise<int> p;
    future<int> f = p.get_future();
    task<int> asked = create_task(value_of(f));
    task<int> other = create_task(value_of(f));
    co_await sleep(unit() / 10);  // both wait
    asked.cancel("enough");
    const auto outcomes = co_await gather_settled(asked, other);
    CHECK(is_cancellation(std::get<0>(outcomes).error()));
    CHECK(is_cancellation(std::get<1>(outcomes).error()));
    CHECK(f.cancelled());
    CHECK(p.done());
    CHECK(asked.cancelling() == 1);
    CHECK(other.cancelling() == 0);
    std::string reason;
    try {
        co_await f;
    } catch (const cancelled& c) {
        reason = c.reason();
    }
    CHECK(reason == "enough");
}

coro<> a_cancelled_error_cancels() {
    promise<int> p;
    future<int> f = p.get_future();
    p.set_exception(std::make_exception_ptr(cancelled{}));
    CHECK(f.cancelled());
    co_return;
}

coro<> callbacks(event_log& log) {
    gate called;
    promise<int> p;
    future<int> f = p.get_future();
    f.add_done_callback([&log](future<int> done) {
        log.add("first " + std::to_string(done.result()) + (done.done() ? "" : " not done"));
        throw std::domain_error("division by zero");
    });
    const callback_token removed = f.add_done_callback([&log](future<int>) { log.add("removed"); });
    f.add_done_callback([&log, &called](future<int>) {
        log.add("second");
        called.open();
    });
    CHECK(f.remove_done_callback(removed));
    p.set_result(3);
    log.add("set");
    co_await called;
    gate late;
    f.add_done_callback([&late](future<int>) { late.open(); });
    CHECK_FALSE(late.is_open());
    co_await late;
}

coro<> registers_a_callback(promise<int>& p, bool& called) {
    p.get_future().add_done_callback([&called](future<int>) { called = true; });
    co_return;
}

coro<> makes_a_promise(std::unique_ptr<promise<int>>& p) {
    p = std::make_unique<promise<int>>();
    co_return;
}

/// Whatever takes tasks takes futures.
coro<> with_the_combinators() {
    promise<int> first;
    promise<int> second;
    const std::vector futures{first.get_future(), second.get_future()};
    second.set_result(2);
    auto [done, pending] = co_await wait(futures, {.return_when = return_when::first_completed});
    REQUIRE(done.size() == 1);
    CHECK(done.front() == futures[1]);
    CHECK(pending.front() == futures[0]);
    task<int> shielding = create_task(value_behind_a_shield(futures[0]));
    co_await yield();
    shielding.cancel();
    first.set_result(1);
    const std::vector<int> both = co_await gather(futures);
    CHECK(both == std::vector{1, 2});
    const auto limited = co_await wait_for(futures[0], 1s);
    CHECK(limited == 1);
    std::vector<int> seen;
    for (auto& ticket : as_completed(futures)) seen.push_back(co_await ticket);
    std::ranges::sort(seen);
    CHECK(seen == both);
}

coro<> fails_unseen() {
    promise<int> p;
    p.set_exception(std::make_exception_ptr(std::runtime_error("unseen")));
    promise<int> q;
    q.set_exception(std::make_exception_ptr(std::runtime_error("seen")));
    static_cast<void>(q.get_future().exception());
    const promise<int> without_a_future;
    co_return;
}

coro<> is_no_task() {
    const std::size_t before = all_tasks().size();
    promise<int> q;
    CHECK(all_tasks().size() == before);
    co_return;
}

}  // namespace

TEST_CASE("waiting for a future passes the checklist") { check_waiting(wait_for_future); }

TEST_CASE("a future gives its value, its error or its cancellation to whoever awaits it") {
    on_workers(multi, [](unsigned workers) {
        run(value_by_reference_and_by_move(), {.workers = workers});
        run(error_for_everybody(), {.workers = workers});
        run(value_that_throws(), {.workers = workers});
        run(a_cancelled_error_cancels(), {.workers = workers});
        run(is_no_task(), {.workers = workers});
        run(with_the_combinators(), {.workers = workers});
    });
}

TEST_CASE("cancelling a task that awaits a future cancels the future for all") {
    on_workers(multi,
               [](unsigned workers) { run(cancelling_an_awaiting_task(), {.workers = workers}); });
}

TEST_CASE("callbacks of a future run in order, never inline, and one that throws is reported") {
    on_workers(single, [](unsigned workers) {
        event_log log;
        runtime here{{.workers = workers}};
        failure_log failures;
        failures.attach(here);
        here.block_on(callbacks(log));
        CHECK(log.lines() == std::vector<std::string>{"set", "first 3", "second"});
        REQUIRE(failures.all().size() == 1);
        CHECK(failures.all().front().what == failure::kind::in_callback);
    });
}

TEST_CASE("the end of a runtime does not wait for futures, and their callbacks are not called") {
    on_workers(multi, [](unsigned workers) {
        bool called = false;
        std::unique_ptr<promise<int>> p;
        {
            runtime here{{.workers = workers}};
            p = std::make_unique<promise<int>>(here);
            here.block_on(registers_a_callback(*p, called));
        }
        future<int> f = p->get_future();
        p->set_result(4);
        CHECK(f.result() == 4);
        CHECK_FALSE(called);
        CHECK_THROWS_AS(f.add_done_callback([](future<int>) {}), runtime_closed);
    });
}

TEST_CASE("a future's callbacks are not called on another runtime that lies where its own did") {
    bool called = false;
    std::unique_ptr<promise<int>> p;
    const void* place = nullptr;
    {
        runtime first{{.workers = 1}};
        place = &detail::runtime_access::port(first);
        p = std::make_unique<promise<int>>(first);
        first.block_on(registers_a_callback(*p, called));
    }
    std::vector<std::unique_ptr<runtime>> others;
    bool is_there = false;
    for (int i = 0; i < 20 && !is_there; ++i) {
        others.push_back(std::make_unique<runtime>(runtime_options{.workers = 1}));
        is_there = &detail::runtime_access::port(*others.back()) == place;
    }
    p->set_result(4);
    others.clear();
    CHECK_FALSE(called);
    if (!is_there) WARN("the memory of the first runtime was not used again");
}

TEST_CASE("a promise may outlive its runtime and fail after it") {
    on_workers(multi, [](unsigned workers) {
        std::unique_ptr<promise<int>> p;
        run(makes_a_promise(p), {.workers = workers});
        future<int> f = p->get_future();
        p.reset();
        CHECK_THROWS_AS(f.result(), broken_promise);
        CHECK_THROWS_AS(promise<int>(), usage_error);
    });
}

TEST_CASE("the error of a future that nobody looked at is reported once") {
    on_workers(multi, [](unsigned workers) {
        runtime here{{.workers = workers}};
        failure_log failures;
        failures.attach(here);
        here.block_on(fails_unseen());
        REQUIRE(failures.all().size() == 1);
        CHECK(failures.all().front().what == failure::kind::never_observed);
        CHECK(failures.all().front().message.find("unseen") != std::string::npos);
    });
}
