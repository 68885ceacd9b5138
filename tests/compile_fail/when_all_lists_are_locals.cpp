// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The children stay in the list that is given; a temporary would be gone in a joined expression.
// expect: no matching function
#include "weft/combine/when_all.hpp"

weft::coro<int> body() { co_return 1; }

weft::coro<> joins() {
    weft::inplace_vector<weft::coro<int>, 3> list;
    list.push_back(body());
#ifndef WEFT_CONTROL
    co_await weft::when_all(weft::inplace_vector<weft::coro<int>, 3>{});
#endif
    co_await weft::when_all(list);
}
