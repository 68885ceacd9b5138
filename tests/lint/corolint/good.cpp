// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Nothing here may be flagged.
#include "subject.hpp"

inline aggregate make_aggregate(std::string s) { return {std::move(s), 1}; }

lazy<int> lambdas(std::string s, int i) {
    auto named = [s] { return s.size(); };
    co_await spawn(std::move(named));
    co_await spawn([i] { return i; });
    co_await spawn([&s] { return s.size(); });
    co_await spawn([](std::string given) { return given.size(); }, s);
    std::function<int()> f = [s] { return 1; };
    co_return co_await spawn(std::ref(f));
}

lazy<int> values(std::string s, bool b) {
    aggregate a{s, 1};
    co_await take(a);
    co_await take(std::move(a));
    co_await take(make_aggregate(s));
    co_await take_built({s, 1});
    co_await take_built({});
    co_await take_built(built{s, 2});
    co_await take_options({.name = "x", .number = 2});
    co_await take_options({});
    auto chosen = b ? text(s) : text("other");
    auto t = co_await chosen;
    int m = b ? co_await number(1) : co_await number(2);
    int n = co_await number(b ? 1 : 2);
    int two[2] = {co_await number(1), co_await number(2)};
    trivial_options o{.name = "y", .number = co_await number(3)};
    std::vector<std::string> list{"a", "b"};
    co_await take_vector(list);
    aggregate later{s, n};
    auto whole = std::pair<std::string, int>(co_await text(s), two[0]);
    for (int i = 0; i < co_await number(2); ++i) later = aggregate{s, i};
    auto nested = [](std::string given) -> lazy<int> { co_return co_await take_built({given}); };
    auto outer = aggregate{s, [&]() -> int { return 2; }()};
    auto coroutine_inside =
        std::make_pair(aggregate{s, 1}, [s]() -> lazy<int> { co_return co_await number(1); });
    co_return n + m + o.number + outer.number + later.number + static_cast<int>(whole.second) +
        static_cast<int>(t.size()) + co_await nested(s);
}
