// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// expect: return over-aligned values by std::unique_ptr
#include "weft/task/create_task.hpp"

#ifndef WEFT_CONTROL
struct alignas(64) wide {
    char bytes[64];
};
weft::coro<wide> body() { co_return wide{}; }
#endif
