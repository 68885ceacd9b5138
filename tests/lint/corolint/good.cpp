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

lazy<bool> operands_that_may_be_skipped(bool a, bool b) {
    bool both = a && co_await number(1);
    bool either = !a || (b && co_await number(1));
    bool all = a && co_await number(1) == 1 && co_await number(2) == 2;
    bool none = !(a || co_await number(1));
    const int chosen = a ? co_await number(1) : co_await number(2);
    int compared = (a && co_await number(1)) ? 1 : 2;
    a && co_await number(1);
    a ? static_cast<void>(co_await number(1)) : static_cast<void>(0);
    both = b || co_await number(1);
    compared = a ? co_await number(1) : 0;
    if (a && co_await number(1)) either = false;
    if (int n = co_await number(1); n > 1 && b) all = false;
    while (co_await number(1) && a) none = !none;
    while (bool more = a && co_await number(1)) a = !more;
    while (a) {
        if (!co_await number(1)) break;
    }
    co_return co_await number(1) && both && either && all && none && chosen == compared;
}

lazy<bool> temporaries_that_may_be_skipped(bool a, std::string s, const int* p) {
    bool first = co_await number(1);
    bool then = first && tracked(1).holds() && name_of(s).empty();
    bool before = tracked(1).holds() + co_await number(1);
    bool constant = co_await number(1) && larger(1, 2) > 1 && length_of("text");
    bool pointee = co_await number(1) && p && larger(*p, *p) > 1;
    bool awaited = a && co_await take_built(built(s, 1));
    int chosen = a ? co_await number(1) : static_cast<int>(name_of(s).size());
    bool within = co_await number(1) && [&] { return a && tracked(1).holds(); }();
    co_return then && before && constant && pointee && awaited && within && chosen;
}

lazy<int> continues(int n) {
    int turns = 0;
    do {
        for (int i = 0; i < n; ++i) {
            if (i == 2) continue;
            ++turns;
        }
    } while (co_await number(n) > turns);
    while (co_await number(n) > turns) {
        if (++turns == 3) continue;
        ++turns;
    }
    co_return turns;
}

lazy<int> declares_something(int n) {
    if (co_await number(n) == 1) co_return 2;
    for (int i = 0; i < 2; ++i) ++n;
    co_return n;
}

lazy<int> declares_in_the_condition(int n) {
    if (int got = co_await number(n); got == 1) co_return got;
    co_return 2;
}

lazy<int> awaits_in_no_condition(int n) {
    if (n == 1) co_return co_await number(n);
    while (n < 3) n += co_await number(1);
    co_return n;
}

inline auto lambda_that_declares_nothing = [](int n) -> lazy<int> {
    if (co_await number(n) == 1) co_return 2;
    co_return 1;
};
