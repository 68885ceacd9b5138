// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// expect: return a pointer or std::reference_wrapper instead
#include "weft/task/coro.hpp"

#ifndef WEFT_CONTROL
weft::coro<int&> refer(int& to) { co_return to; }
#endif
