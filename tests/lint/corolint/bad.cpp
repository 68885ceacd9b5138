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
