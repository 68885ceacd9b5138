// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/queue/ring.hpp"

std::atomic<int> count;
thread_local int mine;
auto when = std::chrono::steady_clock::now();
// A comment may say std::atomic and memory_order_relaxed.
void pop() {
    count.load(std::memory_order_acquire);  // P1
}
