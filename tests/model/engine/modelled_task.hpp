// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What runnable.cpp makes of a lifecycle word, with everything around it modelled too: operations
// that live in the frame and die at the resumption, a structure that completes them, a run queue of
// one task. It keeps account of requests, deliveries and enqueues, and fails the execution when
// they do not add up.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "cases.hpp"
#include "weft/task/lifecycle.hpp"
#include "weft/task/lifecycle_level.hpp"
#include "weft/task/lifecycle_look.hpp"
#include "weft/wheel/timer_entry.hpp"

namespace weft::model {

using task_life = weft::detail::lifecycle<mutable_environment>;

class modelled_task;

/// A timer entry that knows what its deadline does.
struct modelled_timer : weft::detail::timer_entry {
    virtual void fire() = 0;

protected:
    ~modelled_timer() = default;
};

/// Lives in the frame of the task that waits; its deadline, if it is put on a wheel, completes it.
struct frame_operation final : modelled_timer {
    frame_operation(modelled_task* waiter, modelled_task* awaited)
        : waiting(waiter), child(awaited) {}
    void fire() override;
    mutable_environment::cell<int> result{0};  // written by the completer
    // Written by the canceller that took the operation out.
    mutable_environment::cell<bool> unlinked{false};
    mutable_environment::cell<modelled_task*> waiting;
    mutable_environment::cell<modelled_task*> child;  // null for a leaf
};

/// The structure that will complete an operation.
class completion_source {
public:
    /// Owner. False: it is complete already.
    virtual bool add(frame_operation* op) = 0;
    /// Canceller. False: it is completed, or about to be.
    virtual bool remove(frame_operation* op) = 0;
    [[nodiscard]] virtual bool holds(frame_operation* op) = 0;

protected:
    ~completion_source() = default;
};

/// One with room for one: a lock, a task's end.
struct completion final : completion_source {
    static frame_operation* completed() { return reinterpret_cast<frame_operation*>(8); }

    bool add(frame_operation* op) override {
        frame_operation* none = nullptr;
        return waiter.compare_exchange_strong(none, op, std::memory_order_acq_rel,
                                              std::memory_order_acquire);
    }
    bool remove(frame_operation* op) override {
        return waiter.compare_exchange_strong(op, nullptr, std::memory_order_acq_rel,
                                              std::memory_order_acquire);
    }
    bool holds(frame_operation* op) override {
        return waiter.load(std::memory_order_acquire) == op;
    }

    mutable_environment::atomic<frame_operation*> waiter{nullptr};
};

class modelled_task {
public:
    modelled_task(scenario& s, const char* name) { s.name(*this, name); }

    // Owner.
    /// Waits on `on`, or on the end of `child`. True: a cancellation is delivered.
    bool suspend(completion_source& on, modelled_task* child = nullptr) {
        auto op = std::make_unique<frame_operation>(this, child);
        is_added_ = false;
        operation_.store(op.get());
        where_.store(&on);
        if (on.add(op.get()) && commit(*op)) wait_in_queue();
        bool was_unlinked = op->unlinked.load();
        if (!was_unlinked) {
            require(!on.holds(op.get()), "resumed although nothing happened");
            require(!is_added_ || op->result.load() == 1, "the result is visible");
        }
        bool is_cancelled = word_.take_requests() || was_unlinked;
        if (is_cancelled) {
            ++deliveries_;
            require(accepted_ > 0, "cancelled for a reason");
        }
        require(enqueued_ == 0, "enqueued once for each suspension");
        return is_cancelled;
    }
    void finish() {
        if (!word_.finish(true)) {
            ended_cancelled_ = true;  // the value is dropped: that answers every request
            require(word_.finish(false), "an end that heeds no request cannot fail");
        }
        require(word_.is_done(), "done");
        complete(ended_);
    }
    completion& ended() { return ended_; }

    // Completer.
    /// Completes what waits on `on`, now or later; touches nothing of it after the wake.
    static void complete(completion& on) {
        frame_operation* op =
            on.waiter.exchange(completion::completed(), std::memory_order_acq_rel);
        if (op != nullptr) wake(*op);
    }
    /// Completes an operation that its source has let go of.
    static void wake(frame_operation& op) {
        op.result.store(1);
        modelled_task& waiting = *op.waiting.load();
        if (waiting.word_.wake() == task_life::wake_duty::enqueue) waiting.enqueue();
    }

    // Canceller.
    /// False: refused. `epoch` is what withdraw() wants.
    bool cancel(std::uint32_t* epoch = nullptr) {
        int answered = deliveries_ + forwarded_;
        ++accepted_;  // before it is: a delivery may come before request() returns
        auto [duty, when] = word_.request();
        if (epoch != nullptr) *epoch = when;
        if (duty == task_life::cancel_duty::refused) {
            --accepted_;
            return false;
        }
        if (epoch == nullptr) unanswered_.push_back(answered);  // a scope's own may be withdrawn
        if (duty == task_life::cancel_duty::handle_operation) settle();
        return true;
    }

    // Looker.
    /// True: it waited, and was read.
    bool look() {
        using seen = weft::detail::lifecycle_look<mutable_environment>;
        if (!seen::begin(word_)) return false;
        require(operation_.load()->waiting.load() == this, "the operation of a live frame");
        switch (seen::end(word_)) {
            case task_life::release_duty::handle_again:
                settle();
                break;
            case task_life::release_duty::enqueue:
                enqueue();
                break;
            case task_life::release_duty::none:
                break;
        }
        return true;
    }

    void expect_all_answered() {
        for (int before : unanswered_) {
            bool is_answered = deliveries_ + forwarded_ > before || ended_cancelled_;
            require(is_answered, "an accepted request is lost");
        }
        require(queued_.load(std::memory_order_acquire) == 0, "no resumption is left over");
    }
    /// Owner: a scope takes its own request back.
    std::uint32_t withdraw(std::uint32_t epoch) { return word_.withdraw(epoch); }
    [[nodiscard]] bool is_undelivered(std::uint32_t epoch) const {
        return word_.is_undelivered(epoch);
    }
    /// Canceller: a scope around what it runs is cancelled.
    void cancel_scope(std::uint32_t& epoch) {
        weft::detail::lifecycle_level<mutable_environment>::raise(word_);
        static_cast<void>(cancel(&epoch));
    }
    /// Owner: that scope ends.
    void leave_scope(std::uint32_t epoch) {
        weft::detail::lifecycle_level<mutable_environment>::lower(word_);
        word_.withdraw(epoch);
    }
    [[nodiscard]] task_life& word() { return word_; }
    [[nodiscard]] bool has_ended_cancelled() const { return ended_cancelled_; }
    [[nodiscard]] std::uint32_t cancelling() const { return word_.cancelling(); }
    [[nodiscard]] int deliveries() const { return deliveries_; }

private:
    /// What commit_suspend() does. True: suspended.
    bool commit(frame_operation& op) {
        is_added_ = true;
        for (auto heeded = task_life::heed::all;;) {
            switch (word_.try_suspend(heeded)) {
                case task_life::suspension::suspended:
                    return true;
                case task_life::suspension::woken:
                    return false;
                case task_life::suspension::cancel_pending:
                    break;
            }
            auto seen = word_.pending_requests();  // later ones go the same way in the next round
            switch (ask(op)) {
                case task_life::cancel_outcome::unlinked:
                    return false;
                case task_life::cancel_outcome::forwarded:
                    word_.hand_over_requests(seen);
                    heeded = task_life::heed::requests;
                    break;
                case task_life::cancel_outcome::lost:
                    heeded = task_life::heed::nothing;
                    break;
            }
        }
    }

    /// What an operation answers to a canceller.
    task_life::cancel_outcome ask(frame_operation& op) {
        if (modelled_task* child = op.child.load()) {
            if (!child->cancel()) return task_life::cancel_outcome::lost;
            ++forwarded_;
            return task_life::cancel_outcome::forwarded;
        }
        if (!where_.load()->remove(&op)) return task_life::cancel_outcome::lost;
        op.unlinked.store(true);
        return task_life::cancel_outcome::unlinked;
    }

    void settle() {
        for (;;) {
            switch (word_.release(ask(*operation_.load()))) {
                case task_life::release_duty::handle_again:
                    continue;
                case task_life::release_duty::enqueue:
                    enqueue();
                    return;
                case task_life::release_duty::none:
                    return;
            }
        }
    }

    void enqueue() {
        require(++enqueued_ == 1, "enqueued once for each suspension");
        queued_.fetch_add(1, std::memory_order_release);
        mutable_environment::futex_wake(queued_, 1);
    }
    void wait_in_queue() {
        constexpr auto forever = std::chrono::steady_clock::time_point::max();
        while (queued_.load(std::memory_order_acquire) == 0) {
            mutable_environment::futex_wait(queued_, 0, forever);
        }
        require(queued_.exchange(0, std::memory_order_acquire) == 1, "queued once");
        --enqueued_;
    }

    task_life word_;
    mutable_environment::cell<frame_operation*> operation_{nullptr};
    mutable_environment::cell<completion_source*> where_{nullptr};
    mutable_environment::atomic<std::uint32_t> queued_{0};
    completion ended_;

    // Bookkeeping of the test.
    bool is_added_ = false, ended_cancelled_ = false;
    int enqueued_ = 0, accepted_ = 0, deliveries_ = 0, forwarded_ = 0;
    std::vector<int> unanswered_;
};

inline void frame_operation::fire() { modelled_task::wake(*this); }

}  // namespace weft::model
