// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Several threads call the one body: what it changes in itself would be a data race.
// expect: is called as const
#include "weft/combine/parallel_for.hpp"

weft::coro<> counts_in_its_capture() {
    auto counts = [n = 0](int) mutable { ++n; };
    auto looks = [n = 0](int) { static_cast<void>(n); };
#ifndef WEFT_CONTROL
    co_await weft::parallel_for(0, 10, counts);
#endif
    static_cast<void>(counts);
    co_await weft::parallel_for(0, 10, looks);
}
