// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Each line with `// bad` must be flagged.
#include "subject.hpp"

lazy<int> lambdas(std::string s, std::unique_ptr<int> p) {
    co_await spawn([s] { return s.size(); });                            // bad
    co_await spawn([p = std::move(p)] { return *p; });                   // bad
    int n = co_await spawn(std::function<int()>([s] { return 1; }));     // bad
    co_return n + co_await spawn([s](int i) { return i; }, 1);           // bad
}

lazy<int> aggregates(std::string s) {
    co_await take(aggregate{s, 1});               // bad
    co_await take({s, 1});                        // bad
    co_await take({.text = s});                   // bad
    co_await take(aggregate(s, 1));               // bad
    co_await take({});                            // bad
    co_await take(aggregate{});                   // bad
    co_await take_default();                      // bad
    auto n = co_await aggregate_awaiter{s};       // bad
    if (co_await take({s, 2}) == 2) ++n;          // bad
    n += aggregate{s, 1}.number + co_await number(2);  // bad
    co_return n;
}

lazy<std::string> conditionals(bool b, std::string s) {
    auto t = co_await (b ? text(s) : text("other"));              // bad
    co_await take_built(b ? built(s, 1) : built("x", 2));         // bad
    auto u = b ? co_await text(s) : co_await text("other");       // bad
    co_return t + u;
}

lazy<int> awaits_inside_braces(std::string s) {
    std::string both[2] = {co_await text(s), co_await text("b")};     // bad
    aggregate a{co_await text(s), 1};                                  // bad
    auto* heap = new aggregate{co_await text(s), 1};                   // bad
    delete heap;
    co_return static_cast<int>(both[0].size() + a.text.size());
}

lazy<int> throws(bool b, std::string s) {
    if (b) throw built(co_await text(s));  // bad
    co_return 1;
}

lazy<int> lists() {
    co_return co_await take_vector({"a", "b"}) + co_await take_ints(std::vector<int>{1, 2});  // bad
}

lazy<bool> operands_that_may_be_skipped(bool a, bool b) {
    int n = 0;
    while (a && co_await number(1)) ++n;                              // bad
    do ++n; while (n < 3 && co_await number(1));                      // bad
    for (; a || co_await number(1); ++n) b = false;                   // bad
    switch (static_cast<int>(a && co_await number(1))) default: ++n;  // bad
    if (a && co_await number(1) && b) ++n;                            // bad
    if (a || co_await number(1) || b) ++n;                            // bad
    if (a ? co_await number(1) : 0) ++n;                              // bad
    bool converted = a ? co_await number(1) : 0;                      // bad
    int widened = a && co_await number(1);                            // bad
    bool nested = a ? b : (b ? co_await number(1) == 1 : a);          // bad
    n += a ? co_await number(1) : 0;                                  // bad
    n = co_await number(a ? co_await number(1) : 2);                  // bad
    assert_like(a && co_await number(1));                             // bad
    co_return (a && co_await number(1)) || converted || nested || widened == n;  // bad
}

lazy<bool> temporaries_that_may_be_skipped(bool a, std::string s, const int* p) {
    bool both = co_await number(1) && tracked(1).holds();            // bad
    bool text_first = co_await number(1) && name_of(s).empty();      // bad
    bool guarded = co_await number(1) && p && length_of(view(*p));   // bad
    bool bound = co_await number(1) && larger(number_of(s), 2) > 1;  // bad
    int chosen = co_await number(a ? tracked(1).holds() : 2);        // bad
    int beside = (a && tracked(2).holds()) + co_await number(1);     // bad
    co_return both && text_first && guarded && bound && chosen + beside > 1;
}

lazy<int> continues(int n) {
    int turns = 0;
    do {  // bad
        if (++turns == n) continue;
        for (int i = 0; i < n; ++i) ++turns;
    } while (co_await number(n) > turns);
    co_return turns;
}

lazy<int> declares_nothing(int n) {
    if (co_await number(n) == 1) co_return 2;  // bad
    while (co_await number(n) == 2) ++n;       // bad
    static_assert(sizeof(int) == 4);
    co_return n;
}

template <class T>
lazy<int> template_that_declares_nothing(T n) {
    switch (co_await number(n)) {  // bad
        case 1: co_return 1;
        default: co_return 2;
    }
}
inline lazy<int> instance() { return template_that_declares_nothing(2); }
