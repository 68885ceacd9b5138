// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The part of a strand that does not depend on what it runs: what its handles share, and how the
// strand goes from one holder to the next. Who holds it is the strand's protocol
// (strand_queue.hpp).
//
// Jobs are run by a driver, a hidden task that is made by the first job that finds none and ends
// when it finds nothing more. A coroutine that has the strand runs in its own task. Between the
// two the strand is handed over: a driver with jobs left waits, and is woken when its turn comes.
//
// Edges of what is not in that protocol
//            wake-ups: L1, L2 of lifecycle.hpp · driver_: the holder's · holder: written by the
//            holder; only he can find himself in it, for others it is a hint
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string_view>
#include <utility>

#include "weft/sync/strand_queue.hpp"
#include "weft/task/create_task.hpp"
#include "weft/task/ready_turn.hpp"

namespace weft::detail {

class strand_core;

/// A callable in the queue. `run` runs it on the driver and frees it.
struct strand_job : strand_node<real_environment> {
    explicit strand_job(void (*action)(strand_job&, strand_core&) noexcept) noexcept
        : strand_node(false), run(action) {}
    void (*run)(strand_job&, strand_core&) noexcept;
    task_state* driver = nullptr;  // where brings_driver says so
};

/// A coroutine that waits for the strand. On the heap: whoever gives up leaves it in the queue.
class strand_wait final : public strand_node<real_environment>,
                          public strand_claim<real_environment>,
                          public operation {
public:
    /// Two references. Throws std::bad_alloc.
    [[nodiscard]] static strand_wait* make();
    void release() noexcept;
    life::cancel_outcome unlink() noexcept override;
    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override;
    waits_on name_awaited(wait_listener& to) const noexcept override;
    runnable* self = nullptr;
    const strand_core* strand = nullptr;  // set with it, and kept by what waits

private:
    strand_wait() noexcept : strand_node(true) {}
    ~strand_wait() = default;
};

/// The queue's reference to a wait that a new task owns, until it is queued.
class strand_place {
public:
    strand_place() : wait_(strand_wait::make()) {}
    strand_place(const strand_place&) = delete;
    strand_place& operator=(const strand_place&) = delete;
    ~strand_place() {
        if (wait_ != nullptr) wait_->release();
    }
    [[nodiscard]] strand_wait* get() const noexcept { return wait_; }
    [[nodiscard]] strand_wait& take() noexcept { return *std::exchange(wait_, nullptr); }

private:
    strand_wait* wait_;
};

/// Counts references to a strand_core.
class strand_ref {
public:
    explicit strand_ref(strand_core* adopted) noexcept : core_(adopted) {}
    strand_ref(const strand_ref& other) noexcept;
    strand_ref(strand_ref&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
    strand_ref& operator=(strand_ref other) noexcept {
        std::swap(core_, other.core_);
        return *this;
    }
    ~strand_ref();
    [[nodiscard]] strand_core* get() const noexcept { return core_; }

private:
    strand_core* core_;
};

class strand_core {
public:
    strand_core(const strand_core&) = delete;
    strand_core& operator=(const strand_core&) = delete;

    /// One reference. Throws std::bad_alloc.
    [[nodiscard]] static strand_core* make(runtime_port& home);
    /// The runtime of the running task; throws usage_error outside.
    [[nodiscard]] static runtime_port& runtime_here();
    void retain() noexcept {
        references_.fetch_add(1, std::memory_order_relaxed);  // N6: needs a live holder only
    }
    void drop() noexcept;

    /// Takes the job over, unless it throws. Any thread.
    void post(strand_job& job) {
        if (!queue_.try_push(job)) post_with_driver(job);
    }
    /// To the handler of the strand's runtime.
    void report(const std::exception_ptr& error) noexcept;

    /// The id of the task that has it, a hint; 0: none, or its jobs run.
    [[nodiscard]] std::uint64_t holder_task() const noexcept {
        return holder_task_.load(std::memory_order_relaxed);  // a hint: no edge
    }
    [[nodiscard]] runtime_port& home() const noexcept { return *home_; }
    /// This thread's worker if it runs a task of the strand's runtime, else any of its workers.
    /// Throws runtime_closed where that has been destroyed.
    [[nodiscard]] worker_port& worker_to_create() const;
    /// Queues a new task's first step; takes one reference to `place`.
    void queue_start(task_state& starting, strand_wait& place) noexcept;

    // The owner of a wait; the holder.
    [[nodiscard]] bool try_acquire() noexcept { return queue_.try_acquire(); }
    /// True: acquired, not queued.
    [[nodiscard]] bool push_or_acquire(strand_wait& place) noexcept {
        return queue_.push_or_acquire(place);
    }
    void enter(const promise_base& holder, const task_state* owner) noexcept;
    void leave() noexcept;
    /// Whether the strand belongs to a coroutine that waits for `caller` to end.
    [[nodiscard]] bool is_held_around(const promise_base& caller,
                                      const task_state* owner) const noexcept;

private:
    using env = real_environment;
    enum class drive_result : std::uint8_t { ended, turn_over, hand_over };
    class turn_pause;
    class parking;

    explicit strand_core(runtime_port& home) noexcept : home_(&home) {}
    ~strand_core() = default;

    static coro<void> drive(strand_ref held);
    void post_with_driver(strand_job& job);
    [[nodiscard]] drive_result run_jobs(strand_wait*& next) noexcept;
    void pass_on() noexcept;
    void start_or_wake_driver(strand_job& first) noexcept;
    void submit_new(runnable& ready) const noexcept;

    strand_queue<env> queue_;
    task_state* driver_ = nullptr;  // while the driver bit is set and its first job was reached
    runtime_port* home_;
    env::atomic<const promise_base*> holder_{nullptr};
    env::atomic<std::uint64_t> holder_task_{0};
    env::atomic<std::uint32_t> references_{1};
};

/// The right of one coroutine to have the strand once. It stays where `enter` was called.
class strand_hold {
public:
    explicit strand_hold(strand_ref strand) noexcept : strand_(std::move(strand)) {}
    /// Queued already, by queue_start().
    strand_hold(strand_ref strand, strand_wait* queued) noexcept
        : strand_(std::move(strand)), wait_(queued) {}
    strand_hold(strand_hold&& other) noexcept
        : strand_(std::move(other.strand_)), wait_(std::exchange(other.wait_, nullptr)) {}
    ~strand_hold();

    /// Awaited by the coroutine that is to have the strand; throws `cancelled` where it gave up,
    /// usage_error where it has it already, std::bad_alloc.
    class entry {
    public:
        explicit entry(strand_hold& hold) noexcept : hold_(hold) {}
        bool await_ready() const {
            hold_.prepare();
            return false;
        }
        template <weft_promise Promise>
        bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
            return hold_.begin(caller.promise(), caller);
        }
        void await_resume() const { hold_.end_wait(); }

    private:
        strand_hold& hold_;
    };
    [[nodiscard]] entry enter() noexcept { return entry{*this}; }

    /// Leaves the strand at the end of a body.
    class stay {
    public:
        explicit stay(strand_hold& hold) noexcept : hold_(hold) {}
        stay(const stay&) = delete;
        stay& operator=(const stay&) = delete;
        ~stay() { hold_.leave(); }

    private:
        strand_hold& hold_;
    };

private:
    enum class state : std::uint8_t { outside, waiting, inside, refused, left };

    void prepare();
    [[nodiscard]] bool begin(promise_base& caller, std::coroutine_handle<> frame) noexcept;
    void end_wait();
    void leave() noexcept;

    strand_ref strand_;
    strand_wait* wait_ = nullptr;
    const promise_base* promise_ = nullptr;
    const task_state* owner_ = nullptr;
    state state_ = state::outside;
};

inline strand_ref::strand_ref(const strand_ref& other) noexcept : core_(other.core_) {
    if (core_ != nullptr) core_->retain();
}
inline strand_ref::~strand_ref() {
    if (core_ != nullptr) core_->drop();
}

/// Runs `body` with the strand, from its first step to its end.
template <class T>
coro<T> run_on_strand(strand_hold hold, coro<T> body) {
    co_await ready_turn();  // before it has the strand: others may want that meanwhile
    co_await hold.enter();
    const strand_hold::stay inside{hold};
    co_return co_await std::move(body);
}

/// The same for a plain callable.
template <class R, class F, class... Args>
coro<R> call_on_strand(strand_hold hold, F callable, Args... args) {
    co_await ready_turn();
    co_await hold.enter();
    const strand_hold::stay inside{hold};
    co_return std::invoke(std::move(callable), std::move(args)...);
}

}  // namespace weft::detail
