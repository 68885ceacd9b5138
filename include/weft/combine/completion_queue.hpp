// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The part of as_completed that does not depend on the results' types: tasks in the order in which
// they end, and those who wait for the next one.
//
// Protocol: completion queue                    checked by: tests/model/dual_queue_model.cpp,
//                                               tests/stress/as_completed_stress_test.cpp
// Roles      finishers of the children · takers (any number of tasks) · their cancellers and timers
//            · holders of the queue: the tickets and the object that gave them
// Words      the dual queue's, and the count of holders
// Invariants K1 to K3, K6 of dual_queue.hpp, where an item is a child that is done.
//            K4 the queue lives until no child holds a member of it and the last holder has gone:
//               reference count.
// Edges      the dual queue's, H1
// Shutdown   holders may outlive the runtime: the queue knows nothing of it.
#pragma once

#include <coroutine>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "weft/combine/dual_queue.hpp"
#include "weft/combine/limited_operation.hpp"
#include "weft/task/create_task.hpp"
#include "weft/task/reference_count.hpp"

namespace weft::detail {

class completion_taker;

class completion_queue : public dual_queue<real_environment> {
public:
    /// Shared by its holders. `children`: each once. Throws std::bad_alloc.
    [[nodiscard]] static std::shared_ptr<completion_queue> make(std::vector<any_task> children,
                                                                time_point deadline);
    completion_queue(const completion_queue&) = delete;
    completion_queue& operator=(const completion_queue&) = delete;

    [[nodiscard]] std::size_t size() const noexcept { return children_.size(); }
    /// The child that a taker was given.
    [[nodiscard]] const any_task& child(const item& done) const noexcept {
        return children_[static_cast<std::size_t>(static_cast<const member*>(&done) -
                                                  members_.get())];
    }
    // Of a taker that was given a child: it keeps it, or is cancelled and does not.
    void keep() noexcept;
    void give_back(item& child) noexcept;
    /// For name_awaited of one that waits.
    waits_on name_pending(wait_listener& to) noexcept;

private:
    struct member : completion_node, item {
        member() noexcept : completion_node(kind) {}
        static const completion_kind kind;
        static void on_done(completion_node& node) noexcept;
        completion_queue* queue = nullptr;
    };

    completion_queue(std::vector<any_task> children, time_point deadline);
    ~completion_queue() = default;
    void begin() noexcept;
    /// The last holder goes.
    void abandon() noexcept;
    void drop() noexcept;
    [[nodiscard]] task_state* oldest_waiter() noexcept;

    const std::vector<any_task> children_;
    const std::unique_ptr<member[]> members_;
    reference_count<real_environment> holders_;
};

/// The await of the next child that is done.
class completion_taker : public limited_operation, private completion_queue::taker {
public:
    explicit completion_taker(std::shared_ptr<completion_queue> queue) noexcept
        : limited_operation(queue->deadline()), queue_(std::move(queue)) {}

    life::cancel_outcome unlink() noexcept override;
    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override;
    waits_on name_awaited(wait_listener& to) const noexcept override;

    bool await_ready() const noexcept { return false; }
    template <weft_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return begin(caller.promise().current(), caller);
    }

protected:
    ~completion_taker() = default;
    /// At the resumption: the child, or nullptr if all have been taken. Throws `cancelled` or
    /// timeout_error.
    [[nodiscard]] const any_task* end();

private:
    friend completion_queue;
    using result = completion_queue::result;

    /// Wakes what a taker belongs to; null: nobody.
    static void go_on(taker* one) noexcept;
    [[nodiscard]] bool expire() noexcept override;
    [[nodiscard]] bool begin(runnable& self, std::coroutine_handle<> caller) noexcept;

    std::shared_ptr<completion_queue> queue_;
    runnable* self_ = nullptr;
};

}  // namespace weft::detail
