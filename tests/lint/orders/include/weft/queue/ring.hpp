// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Protocol: ring
// Edges      P1 push release -> pop acquire: the slot
#pragma once

#include <atomic>

template <class Env>
class ring {
    void push() {
        head_.store(1, std::memory_order_release);  // P1: publishes the slot
        head_.store(1, std::memory_order_release);
        head_.store(1, std::memory_order_release);  // publishes the slot
        head_.store(1, std::memory_order_release);  // P2: an edge that nobody defined
        head_.load(std::memory_order_relaxed);      // a guess: the exchange decides
        head_.load(std::memory_order_relaxed);
        head_.load(std::memory_order_acquire);      // statistics: no edge
    }
    typename Env::template atomic<int> head_;
};
