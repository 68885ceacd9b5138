// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/awaitable.hpp"

#include <memory>
#include <string>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_gate.hpp"

using namespace weft;
using namespace weft::test;

namespace {

static_assert(awaitable<coro<int>>);
static_assert(!awaitable<coro<int>&>);
static_assert(awaitable<task<int>> && awaitable<task<int>&> && awaitable<const task<int>&>);
static_assert(awaitable<gate&> && awaitable<gate::waiter>);
static_assert(awaitable<decltype(yield())> && awaitable<decltype(sleep(far))>);
static_assert(!awaitable<int> && !awaitable<std::suspend_always> && !awaitable<any_task>);

static_assert(std::is_void_v<awaited_value_t<coro<>>>);
static_assert(std::is_void_v<awaited_value_t<gate&>>);
static_assert(std::is_same_v<awaited_value_t<coro<std::string>>, std::string>);
static_assert(std::is_same_v<awaited_value_t<task<std::string>&>, std::string>);
static_assert(std::is_same_v<awaited_value_t<task<std::unique_ptr<int>>>, std::unique_ptr<int>>);

static_assert(std::is_same_v<detail::kept_awaitable<task<int>&>, task<int>>);
static_assert(std::is_same_v<detail::kept_awaitable<const task<int>&>, task<int>>);
static_assert(std::is_same_v<detail::kept_awaitable<gate&>, gate&>);

coro<std::string> gives_text() {
    co_await yield();
    co_return "a text that is too long for the small one";
}

coro<> made_of_anything() {
    task<std::string> t = create_task(gives_text());
    std::string copied = co_await detail::as_coro(t);
    CHECK(copied == t.result());
    std::string moved = co_await detail::as_coro(std::move(t));
    CHECK(moved == copied);
    CHECK_FALSE(t);
    std::string own = co_await detail::as_coro(gives_text());
    CHECK(own == copied);
    gate g;
    coro<> passes = detail::as_coro(g);
    g.open();
    co_await std::move(passes);
}

}  // namespace

TEST_CASE("anything that can be awaited is made a coroutine, which keeps it") {
    on_workers(multi, [](unsigned workers) { run(made_of_anything(), {.workers = workers}); });
}
