// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The children of a join that are runnables, and what was asked of all of them. Whoever asks sets a
// mark and then walks the list; a child that comes later looks for the marks. The list only grows.
//
// Protocol: child list                              checked by: tests/model/child_list_model.cpp
// Roles      child (whoever makes it a runnable) · asker (any thread)
// Words      first: the newest node · marks: what was asked, and other things that happen once
// Fields     node.next: before the node is added
// Invariants K1 a child that is added is found by an asker's walk, or finds the asker's mark, or
//               both.
// Edges      K2 store-load pair: {add, read marks} / {mark, read first}, all seq_cst
//            K3 add release → first acquire: the node · mark release → add acquire: what the asker
//               wrote before
// Progress   lock-free; a walk is as long as the list was when it began.
#pragma once

#include <atomic>

#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"

namespace weft::detail {

template <class Env, class Node>
class child_list {
public:
    /// `marks`: from the beginning.
    explicit child_list(unsigned marks = 0) noexcept : marks_(marks) {}
    /// Returns the marks of every asker who may have missed it. Any thread.
    unsigned add(Node& node) noexcept {
        const bool early = mutated<Env>(mutation::child_looks_before_it_is_added);
        const unsigned seen = early ? marks_.load(std::memory_order_seq_cst) : 0;  // K2
        node.next = first_.load(std::memory_order_relaxed);                        // K3 below
        while (!first_.compare_exchange_weak(node.next, &node,
                                             std::memory_order_seq_cst,     // K2 K3
                                             std::memory_order_relaxed)) {  // K3: only retried
        }
        return early ? seen : marks_.load(std::memory_order_seq_cst);  // K2 K3
    }
    /// Returns the marks set before. Any thread. Who asks again, for more, sets his mark again.
    unsigned mark(unsigned marks) noexcept {
        if (mutated<Env>(mutation::child_mark_is_not_repeated) && has(marks)) return marks;
        return marks_.fetch_or(marks, std::memory_order_seq_cst);  // K2 K3
    }
    /// The newest node; `next` leads to all others. Any thread.
    [[nodiscard]] Node* first() const noexcept {
        return first_.load(std::memory_order_seq_cst);  // K2 K3
    }
    /// Whether one of these marks is set: a hint, unless something else orders it.
    [[nodiscard]] bool has(unsigned marks) const noexcept {
        return (marks_.load(std::memory_order_relaxed) & marks) != 0;  // K3: nothing is read by it
    }
    /// The same for all of them.
    [[nodiscard]] unsigned marks() const noexcept {
        return marks_.load(std::memory_order_relaxed);  // K3: nothing is read by it
    }
    /// Nobody else is left.
    void clear() noexcept {
        first_.store(nullptr, std::memory_order_relaxed);  // K3: nobody reads
        marks_.store(0, std::memory_order_relaxed);        // K3: nobody reads
    }

private:
    typename Env::template atomic<Node*> first_{nullptr};
    typename Env::template atomic<unsigned> marks_;
};

}  // namespace weft::detail
