// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A coroutine that takes a reference keeps a reference, whatever was behind it at the call.
// only: clang
// flags: -include weft/lifetime_checks.hpp -Werror=dangling
// expect: local variable 'started'
// expect: local variable 'spawned'
// expect: local variable 'lazy'
// expect: local variable 'later'
// expect: local variable 'in_a_context'
// expect: local variable 'joined'
// expect: local variable 'gathered'
// expect: local variable 'limited'
// expect: local variable 'by_function'
// expect: local variable 'of_a_temporary_object'
// expect: address of stack memory
#include <functional>
#include <string>

#include "weft/weft.hpp"

using namespace std::chrono_literals;

weft::coro<int> reads(const std::string& text) { co_return static_cast<int>(text.size()); }
weft::coro<int> owns(std::string text) { co_return static_cast<int>(text.size()); }

struct server {
    int port = 0;
    weft::coro<int> serve() { co_return port; }
};

#ifndef WEFT_CONTROL
weft::task<int> starts_with_its_own() {
    std::string text = "x";
    return weft::create_task(reads(text));
}
#endif

weft::coro<> starts(weft::runtime& elsewhere, const weft::strand& s, const weft::context& c,
                    std::function<weft::coro<int>(const std::string&)> function) {
#ifndef WEFT_CONTROL
    auto started = weft::create_task(reads("x"), {.name = "reader"});
    auto spawned = elsewhere.spawn(reads(std::string("x")));
    weft::coro<int> lazy = reads("x");
    auto later = s.run(reads("x"));
    auto in_a_context = weft::create_task(c.run(reads("x")));
    auto joined = weft::when_all(reads("x"), owns("y"));
    auto gathered = weft::gather(owns("x"), reads("y"));
    auto limited = weft::with_timeout(1s, reads("x"));
    auto by_function = weft::create_task(function("x"));
    auto of_a_temporary_object = weft::create_task(server{}.serve());
#endif
    const std::string local = "x";
    auto of_a_local = weft::create_task(reads(local));
    auto owner = weft::create_task(owns("x"));
    auto given = weft::create_task(reads, std::string("x"));
    auto on_a_strand = s.run(reads, std::string("x"));
    auto within_a_context = weft::create_task(c.run(reads, std::string("x")));
    auto of_a_container = weft::parallel_for(std::vector<int>{1, 2}, [](int) {});
    weft::any_task any = weft::create_task(function(local));
    // These end within the statement.
    co_await reads("x");
    co_await weft::create_task(reads("x"));
    co_await weft::gather(reads("x"), reads("y"));
    co_await weft::with_timeout(1s, reads("x"));
    co_await std::move(on_a_strand);
    co_await std::move(of_a_container);
    co_await weft::gather(of_a_local, owner, given);
}
