// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The lifecycle word under the model checker: wake, cancel, cancel, suspend, resume and finish in
// every order. The harness is what runnable.cpp makes of the word: operations live in the frame and
// die at the resumption, a completer and the cancellers race for the operation in the structure
// that holds it, whoever is told to enqueues. Checked: one resumption for each suspension, none
// without its reason, no accepted request without a delivery after it, no touch of a dead frame.
#include "weft/task/lifecycle.hpp"

#include <memory>
#include <vector>

#include "engine/cases.hpp"
#include "support/catch.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;
using life = weft::detail::lifecycle<env>;
using outcome = life::cancel_outcome;

constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;
constexpr auto forever = std::chrono::steady_clock::time_point::max();

class modelled_task;

/// Lives in the frame of the task that waits.
struct frame_operation {
    frame_operation(modelled_task* waiter, modelled_task* awaited)
        : waiting(waiter), child(awaited) {}
    env::cell<int> result{0};         // written by the completer
    env::cell<bool> unlinked{false};  // written by the canceller that took the operation out
    env::cell<modelled_task*> waiting;
    env::cell<modelled_task*> child;  // null for a leaf
};

/// The structure that will complete an operation, with room for one: a timer, a lock, a task's end.
struct completion {
    static frame_operation* completed() { return reinterpret_cast<frame_operation*>(8); }

    /// Owner. False: it is complete already.
    bool add(frame_operation* op) {
        frame_operation* none = nullptr;
        return waiter.compare_exchange_strong(none, op, acq_rel, acquire);
    }
    bool remove(frame_operation* op) {
        return waiter.compare_exchange_strong(op, nullptr, acq_rel, acquire);
    }
    bool holds(frame_operation* op) { return waiter.load(acquire) == op; }

    env::atomic<frame_operation*> waiter{nullptr};
};

class modelled_task {
public:
    modelled_task(scenario& s, const char* name) { s.name(*this, name); }

    // Owner.
    /// Waits on `on`, or on the end of `child`. True: a cancellation is delivered.
    bool suspend(completion& on, modelled_task* child = nullptr) {
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
        frame_operation* op = on.waiter.exchange(completion::completed(), acq_rel);
        if (op == nullptr) return;
        op->result.store(1);
        modelled_task& waiting = *op->waiting.load();
        if (waiting.word_.wake() == life::wake_duty::enqueue) waiting.enqueue();
    }

    // Canceller.
    /// False: refused. `epoch` is what withdraw() wants.
    bool cancel(std::uint32_t* epoch = nullptr) {
        int answered = deliveries_ + forwarded_;
        ++accepted_;  // before it is: a delivery may come before request() returns
        auto [duty, when] = word_.request();
        if (epoch != nullptr) *epoch = when;
        if (duty == life::cancel_duty::refused) {
            --accepted_;
            return false;
        }
        if (epoch == nullptr) unanswered_.push_back(answered);  // a scope's own may be withdrawn
        if (duty == life::cancel_duty::handle_operation) settle();
        return true;
    }

    void expect_all_answered() {
        for (int before : unanswered_) {
            bool is_answered = deliveries_ + forwarded_ > before || ended_cancelled_;
            require(is_answered, "an accepted request is lost");
        }
        require(queued_.load(acquire) == 0, "no resumption is left over");
    }
    /// Owner: a scope takes its own request back.
    std::uint32_t withdraw(std::uint32_t epoch) { return word_.withdraw(epoch); }
    [[nodiscard]] bool has_ended_cancelled() const { return ended_cancelled_; }
    [[nodiscard]] std::uint32_t cancelling() const { return word_.cancelling(); }
    [[nodiscard]] int deliveries() const { return deliveries_; }

private:
    /// What commit_suspend() does. True: suspended.
    bool commit(frame_operation& op) {
        is_added_ = true;
        for (bool heed_cancel = true;;) {
            switch (word_.try_suspend(heed_cancel)) {
                case life::suspension::suspended:
                    return true;
                case life::suspension::woken:
                    return false;
                case life::suspension::cancel_pending:
                    break;
            }
            switch (ask(op)) {
                case outcome::unlinked:
                    return false;
                case outcome::forwarded:
                    word_.hand_over_requests();
                    break;
                case outcome::lost:
                    heed_cancel = false;
                    break;
            }
        }
    }

    /// What an operation answers to a canceller.
    outcome ask(frame_operation& op) {
        if (modelled_task* child = op.child.load()) {
            if (!child->cancel()) return outcome::lost;
            ++forwarded_;
            return outcome::forwarded;
        }
        if (!where_.load()->remove(&op)) return outcome::lost;
        op.unlinked.store(true);
        return outcome::unlinked;
    }

    void settle() {
        for (;;) {
            switch (word_.release(ask(*operation_.load()))) {
                case life::release_duty::handle_again:
                    continue;
                case life::release_duty::enqueue:
                    enqueue();
                    return;
                case life::release_duty::none:
                    return;
            }
        }
    }

    void enqueue() {
        require(++enqueued_ == 1, "enqueued once for each suspension");
        queued_.fetch_add(1, release);
        env::futex_wake(queued_, 1);
    }
    void wait_in_queue() {
        while (queued_.load(acquire) == 0) env::futex_wait(queued_, 0, forever);
        require(queued_.exchange(0, acquire) == 1, "queued once");
        --enqueued_;
    }

    life word_;
    env::cell<frame_operation*> operation_{nullptr};
    env::cell<completion*> where_{nullptr};
    env::atomic<std::uint32_t> queued_{0};
    completion ended_;

    // Bookkeeping of the test.
    bool is_added_ = false, ended_cancelled_ = false;
    int enqueued_ = 0, accepted_ = 0, deliveries_ = 0, forwarded_ = 0;
    std::vector<int> unanswered_;
};

const registered_case early_wake({
    .structure = "lifecycle",
    .name = "a completion before, while or after the suspension resumes it once",
    .kills = {mutation::lifecycle_ignore_early_wake},
    .limits = {.preemptions = 5, .stale_loads = 3},
    .body =
        [](scenario& s) {
            modelled_task task(s, "task");
            completion one;
            s.thread("owner", [&] {
                require(!task.suspend(one), "nobody cancels");
                task.finish();
            });
            s.thread("completer", [&] { modelled_task::complete(one); });
            s.finally([&] { task.expect_all_answered(); });
        },
});

const registered_case only_cancel({
    .structure = "lifecycle",
    .name = "a cancel before, while or after the suspension is what ends it",
    .kills = {mutation::lifecycle_ignore_early_cancel},
    .limits = {.preemptions = 5, .stale_loads = 3},
    .body =
        [](scenario& s) {
            modelled_task task(s, "task");
            completion never;
            s.thread("owner", [&] {
                require(task.suspend(never), "only the cancel can end it");
                task.finish();
            });
            s.thread("canceller", [&] { require(task.cancel(), "not refused before its end"); });
            s.finally([&] { task.expect_all_answered(); });
        },
});

const registered_case cancel_and_wake({
    .structure = "lifecycle",
    .name = "a cancel and a completion race for one suspension",
    .kills = {mutation::lifecycle_wake_through_busy},
    .limits = {.preemptions = 4, .stale_loads = 2},
    .body =
        [](scenario& s) {
            modelled_task task(s, "task");
            completion one;
            s.thread("owner", [&] {
                static_cast<void>(task.suspend(one));
                task.finish();
            });
            s.thread("completer", [&] { modelled_task::complete(one); });
            s.thread("canceller", [&] { static_cast<void>(task.cancel()); });
            s.finally([&] { task.expect_all_answered(); });
        },
});

const registered_case two_rounds({
    .structure = "lifecycle",
    .name = "what is deferred in one suspension does not leak into the next",
    .kills = {mutation::lifecycle_forget_deferred_wake, mutation::lifecycle_wake_through_busy},
    .limits = {.preemptions = 3, .stale_loads = 1},
    .body =
        [](scenario& s) {
            modelled_task task(s, "task");
            completion first, second;
            s.thread("owner", [&] {
                static_cast<void>(task.suspend(first));
                static_cast<void>(task.suspend(second));
                task.finish();
            });
            s.thread("completer", [&] {
                modelled_task::complete(first);
                modelled_task::complete(second);
            });
            s.thread("canceller", [&] { static_cast<void>(task.cancel()); });
            s.finally([&] { task.expect_all_answered(); });
        },
});

const registered_case two_cancels({
    .structure = "lifecycle",
    .name = "wake, cancel, cancel, suspend, resume and finish in every order",
    .kills = {mutation::lifecycle_wake_through_busy},
    .limits = {.preemptions = 3, .stale_loads = 1, .random_executions = 40'000},
    .body =
        [](scenario& s) {
            modelled_task task(s, "task");
            completion one;
            int accepted = 0;
            s.thread("owner", [&] {
                static_cast<void>(task.suspend(one));
                task.finish();
            });
            s.thread("completer", [&] { modelled_task::complete(one); });
            for (int i = 0; i < 2; ++i) {
                s.thread("canceller", [&] { accepted += task.cancel() ? 1 : 0; });
            }
            s.finally([&] {
                task.expect_all_answered();
                require(task.cancelling() == static_cast<std::uint32_t>(accepted),
                        "every accepted request is counted, whatever became of it");
                require(task.deliveries() <= accepted, "no delivery without a request");
            });
        },
});

const registered_case end_of_body({
    .structure = "lifecycle",
    .name = "a cancel and the end of the body are ordered by one word",
    .kills = {mutation::lifecycle_finish_over_request},
    .limits = {.preemptions = 6, .stale_loads = 4},
    .body =
        [](scenario& s) {
            modelled_task task(s, "task");
            s.thread("owner", [&] { task.finish(); });
            for (int i = 0; i < 2; ++i) {
                s.thread("canceller", [&] { static_cast<void>(task.cancel()); });
            }
            s.finally([&] {
                task.expect_all_answered();
                require(!task.cancel(), "a done task refuses");
            });
        },
});

const registered_case observing({
    .structure = "lifecycle",
    .name = "who sees a task done sees its outcome",
    .kills = {},
    .limits = {.preemptions = 4, .stale_loads = 3},
    .body =
        [](scenario& s) {
            life word;
            env::cell<int> result{0};
            s.thread("owner", [&] {
                result.store(42);
                require(word.finish(true), "nobody cancels");
            });
            s.thread("observer", [&] {
                if (word.is_done()) require(result.load() == 42, "the outcome is visible");
            });
            s.finally([] {});
        },
});

/// A timer's request is withdrawn at the end of its scope; a foreign one is not.
const registered_case withdrawing({
    .structure = "lifecycle",
    .name = "a scope withdraws its own request and nobody else's",
    .kills = {},
    .limits = {.preemptions = 4, .stale_loads = 1},
    .body =
        [](scenario& s) {
            modelled_task task(s, "task");
            completion one;
            std::uint32_t epoch = 0;
            env::atomic<bool> has_fired{false};
            bool is_foreign = false;
            s.thread("owner", [&] {
                static_cast<void>(task.suspend(one));
                while (!has_fired.load(acquire)) env::relax();
                task.withdraw(epoch);
                task.finish();
            });
            s.thread("timer", [&] {
                require(task.cancel(&epoch), "the scope outlives its timer");
                has_fired.store(true, release);
            });
            s.thread("canceller", [&] { is_foreign = task.cancel(); });
            s.finally([&] {
                require(task.cancelling() == (is_foreign ? 1U : 0U), "only the foreign one counts");
                task.expect_all_answered();
                require(is_foreign || !task.has_ended_cancelled(), "the own one is not left over");
            });
        },
});

void forwarding_body(scenario& s, int cancellers, bool child_is_completed) {
    modelled_task parent(s, "parent"), child(s, "child");
    completion one;
    s.thread("parent", [&] {
        static_cast<void>(parent.suspend(child.ended(), &child));
        parent.finish();
    });
    s.thread("child", [&] {
        static_cast<void>(child.suspend(one));
        child.finish();
    });
    if (child_is_completed) s.thread("completer", [&] { modelled_task::complete(one); });
    for (int i = 0; i < cancellers; ++i) {
        s.thread("canceller", [&] { static_cast<void>(parent.cancel()); });
    }
    s.finally([&] {
        parent.expect_all_answered();
        child.expect_all_answered();
    });
}

const registered_case forwarding({
    .structure = "lifecycle",
    .name = "a cancel of a task that awaits a child goes to the child",
    .kills = {mutation::lifecycle_ignore_early_cancel},
    .limits = {.preemptions = 3, .stale_loads = 1},
    .body = [](scenario& s) { forwarding_body(s, 1, false); },
});

const registered_case forwarding_race({
    .structure = "forwarding",
    .name = "two cancels of a parent meet the end of its child",
    .kills = {},
    .limits = {.preemptions = 2, .stale_loads = 1, .random_executions = 100'000},
    .body = [](scenario& s) { forwarding_body(s, 2, true); },
});

}  // namespace

TEST_CASE("a task is resumed once for each suspension and loses no cancel", "[lifecycle]") {
    check_cases("lifecycle");
}

// Fails as long as hand_over_requests() forgets a request that comes between the hand-over and its
// bookkeeping: then neither child nor parent is cancelled by it (I4). May fail until that is
// mended.
TEST_CASE("two cancels of an awaiting task both reach somebody", "[lifecycle][!mayfail]") {
    check_cases("forwarding");
}

}  // namespace weft::model
