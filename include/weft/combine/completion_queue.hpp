// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The part of as_completed that does not depend on the results' types: tasks in the order in which
// they end, and those who wait for the next one.
//
// Protocol: completion queue               checked by: tests/stress/as_completed_stress_test.cpp
// Roles      finishers of the children · takers (any number of tasks) · their cancellers and timers
//            · holders of the queue: the tickets and the object that gave them
// Fields     everything but the children, a taker's result and place included → mutex_
// States     of a child: running ──finisher──▶ ready, or ──finisher──▶ given to the oldest taker
//            ready ──taker──▶ given ──the taker resumes──▶ taken, or ──it was cancelled──▶ ready,
//            before all others; running ──finisher, after the deadline──▶ not given to anybody
//            of a taker: waiting ──finisher, canceller, timer or the last taken──▶ on its way
// Invariants K1 a taker leaves the list once, under the mutex, by the one who then wakes it (a
//               canceller: its release of the task). So nobody else touches it afterwards.
//            K2 takers wait only while nothing is ready: the order of waiting is that of results.
//            K3 a child is taken by one taker at most; a cancelled one gives it back.
//            K4 the queue lives until no child holds a member of it and the last holder has gone:
//               reference count.
// Edges      the mutex; K5 drop release → last drop acquire: every use is before the deletion
// Progress   the mutex is held for a few links, never over a wake-up or a call to anybody.
// Shutdown   holders may outlive the runtime: the queue knows nothing of it.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "weft/combine/limited_operation.hpp"
#include "weft/task/create_task.hpp"

namespace weft::detail {

class completion_taker;

class completion_queue {
public:
    /// Shared by its holders. `children`: each once. Throws std::bad_alloc.
    [[nodiscard]] static std::shared_ptr<completion_queue> make(std::vector<any_task> children,
                                                                time_point deadline);
    completion_queue(const completion_queue&) = delete;
    completion_queue& operator=(const completion_queue&) = delete;

    [[nodiscard]] std::size_t size() const noexcept { return children_.size(); }
    [[nodiscard]] time_point deadline() const noexcept { return deadline_; }

    /// True if the taker has to wait: it is in the list.
    [[nodiscard]] bool take_or_wait(completion_taker& taker) noexcept;
    /// Takes a waiting one out; false if somebody else has.
    [[nodiscard]] bool leave_list(completion_taker& taker) noexcept;
    /// Of one that has a result: it keeps it, or is cancelled and does not.
    void confirm() noexcept;
    void give_back(std::size_t child) noexcept;
    /// For name_awaited of one that waits.
    waits_on name_pending(wait_listener& to) noexcept;

    [[nodiscard]] const any_task& child(std::size_t i) const noexcept { return children_[i]; }

private:
    struct member : completion_node {
        member() noexcept : completion_node(kind) {}
        static const completion_kind kind;
        static void on_done(completion_node& node) noexcept;
        completion_queue* queue = nullptr;
        member* next_ready = nullptr;
    };

    completion_queue(std::vector<any_task> children, time_point deadline);
    ~completion_queue() = default;
    void begin() noexcept;
    /// The last holder goes.
    void abandon() noexcept;
    void drop() noexcept;
    /// A child that is done goes to a taker, which is returned, to be woken, or becomes ready.
    enum class place : bool { last, first };
    [[nodiscard]] runnable* pass_on(member& done, place among_ready) noexcept;
    [[nodiscard]] completion_taker* pop_taker() noexcept;
    [[nodiscard]] bool is_late() noexcept;
    [[nodiscard]] task_state* oldest_waiter() noexcept;

    const std::vector<any_task> children_;
    const std::unique_ptr<member[]> members_;
    const time_point deadline_;
    real_environment::atomic<std::size_t> references_{1};

    std::mutex mutex_;
    member* first_ready_ = nullptr;
    member* last_ready_ = nullptr;
    completion_taker* first_taker_ = nullptr;
    completion_taker* last_taker_ = nullptr;
    std::size_t taken_ = 0;
    bool is_late_ = false;
};

/// The await of the next child that is done.
class completion_taker : public limited_operation {
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
    enum class result : std::uint8_t { none, child, late, all_taken };

    [[nodiscard]] bool expire() noexcept override;
    [[nodiscard]] bool begin(runnable& self, std::coroutine_handle<> caller) noexcept;

    std::shared_ptr<completion_queue> queue_;
    runnable* self_ = nullptr;
    completion_taker* next_ = nullptr;
    std::size_t child_ = 0;
    result result_ = result::none;
    bool is_waiting_ = false;
};

}  // namespace weft::detail
