// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "sched/completion_latch.hpp"

namespace weft::detail {

struct completion_latch::watcher : completion_node {
    explicit watcher(std::shared_ptr<completion_latch> target) noexcept
        : completion_node(kind), latch(std::move(target)) {}
    static const completion_kind kind;
    static void on_done(completion_node& node) noexcept {
        std::unique_ptr<watcher> self{static_cast<watcher*>(&node)};
        self->latch->remaining_.fetch_sub(1, std::memory_order_acq_rel);  // X2
        self->latch->bump();
    }
    std::shared_ptr<completion_latch> latch;
};

constinit const completion_kind completion_latch::watcher::kind{&on_done, nullptr};

void completion_latch::watch(task_state& task) {
    auto node = std::make_unique<watcher>(shared_from_this());
    remaining_.fetch_add(1, std::memory_order_relaxed);  // X2: before the node can be told
    if (task.add_completion(*node))
        static_cast<void>(node.release());
    else
        remaining_.fetch_sub(1, std::memory_order_relaxed);  // X2: is_done() was the acquire
}

bool completion_latch::wait_until_open(time_point deadline) noexcept {
    for (;;) {
        std::uint32_t seen = events();
        if (is_open()) return true;
        if (!wait(seen, deadline)) return is_open();
    }
}

}  // namespace weft::detail
