// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The slots of a ring; which may be read is the ring's protocol (ring.hpp).
#pragma once

template <class Env>
struct slots {
    int get() { return slot.load(std::memory_order_acquire); }  // P1
    int bad() { return slot.load(std::memory_order_acquire); }  // P9
    typename Env::template atomic<int> slot;
};
