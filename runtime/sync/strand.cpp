// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/sync/strand.hpp"

#include <new>
#include <string>

#include "ports/live_runtimes.hpp"
#include "task/failure_sink.hpp"
#include "task/requeue.hpp"
#include "weft/error.hpp"
#include "weft/trace/events.hpp"

namespace weft::detail {

namespace {

constexpr std::uint32_t jobs_per_turn = 64;

}  // namespace

strand_core* strand_core::make(runtime_port& home) {
    return new (allocate_block(sizeof(strand_core))) strand_core(home);
}

runtime_port& strand_core::runtime_here() {
    worker_port* here = this_worker();
    if (here == nullptr || here->current.is_empty()) {
        throw usage_error(
            "a strand was made outside a task: make it inside one, or give it its runtime");
    }
    return here->runtime();
}

void strand_core::drop() noexcept {
    // The last holder is alone, so it need not count down.
    bool last = references_.load(std::memory_order_acquire) == 1 ||        // N6
                references_.fetch_sub(1, std::memory_order_acq_rel) == 1;  // N6
    if (!last) return;
    this->~strand_core();
    free_block(this, sizeof(strand_core));
}

worker_port& strand_core::worker_to_create() const {
    worker_port* here = this_worker();
    if (here != nullptr && &here->runtime() == home_ && !here->current.is_empty()) return *here;
    if (live_runtime{home_}.get() == nullptr) throw runtime_closed();
    return home_->any_worker();
}

void strand_core::submit_new(runnable& ready) const noexcept {
    worker_port* here = this_worker();
    if (here != nullptr && &here->runtime() == home_)
        here->submit_back(ready);
    else
        home_->inject(ready);
}

void strand_core::post_with_driver(strand_job& job) {
    worker_port& worker = worker_to_create();
    retain();
    coro<void> body = drive(strand_ref{this});
    task_state& driver = *task_record<void>::make(body, &worker, *home_);
    driver.hidden = true;
    driver.leave_to_runtime();
    begin_task(driver, {}, priority::normal, *home_, this_worker());  // whoever posts
    job.driver = &driver;
    switch (queue_.push_with_driver(job)) {
        case strand_queue<env>::push_result::start_driver:
            driver_ = &driver;
            submit_new(driver);
            break;
        case strand_queue<env>::push_result::queued_with_driver:
            break;
        case strand_queue<env>::push_result::queued:
            request_cancel(driver, {});  // before its first step: it ends there
            submit_new(driver);
            break;
    }
}

void strand_core::report(const std::exception_ptr& error) noexcept {
    try {
        failure what{failure::kind::in_callback, "strand", error, {}};
        what.message = "exception in a callable that was posted to a strand: " + describe(error);
        home_->failures()->report(what);
    } catch (const std::bad_alloc&) {
        return;  // no memory left to say so
    }
}

/// The driver's turn is over: others that are ready come first.
class strand_core::turn_pause {
public:
    turn_pause() noexcept {}
    bool await_ready() const noexcept { return false; }
    template <weft_promise Promise>
    void await_suspend(std::coroutine_handle<Promise> caller) const noexcept {
        runnable& self = caller.promise().current();
        self.resume_point = caller;
        requeue(self);
    }
    void await_resume() const noexcept {}
};

/// The driver gives the strand to the owner of a wait and stays for the jobs behind it. Nobody can
/// ask it to stop: a request waits until it ends.
class strand_core::parking final : public operation {
public:
    explicit parking(strand_wait& next) noexcept : next_(next) {}
    parking(const parking&) = delete;
    parking& operator=(const parking&) = delete;
    bool await_ready() const noexcept { return false; }
    template <weft_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        runnable& self = caller.promise().current();
        self.resume_point = caller;
        self.operation = this;
        const bool is_given = next_.claim();
        // From here on the owner may leave, which wakes this one.
        if (is_given) wake(*next_.self);
        next_.release();
        return is_given && commit_suspend(self);
    }
    void await_resume() const noexcept {}
    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override {
        return trace::suspend_reason::mutex;
    }

private:
    strand_wait& next_;
};

coro<void> strand_core::drive(strand_ref held) {
    strand_core& core = *held.get();
    for (;;) {
        strand_wait* next = nullptr;
        const drive_result result = core.run_jobs(next);
        if (result == drive_result::ended) co_return;
        if (result == drive_result::turn_over)
            co_await turn_pause{};
        else
            co_await parking{*next};
    }
}

strand_core::drive_result strand_core::run_jobs(strand_wait*& next) noexcept {
    for (std::uint32_t count = 0;;) {
        strand_node<env>* first = queue_.take();
        if (first == nullptr) {
            if (queue_.rest(true) == strand_queue<env>::rest_result::idle)
                return drive_result::ended;
            continue;
        }
        if (!first->is_wait) {
            if (count++ == jobs_per_turn) {
                queue_.put_back(*first);
                return drive_result::turn_over;
            }
            auto& job = static_cast<strand_job&>(*first);
            job.run(job, *this);
            if (driver_->has_extras()) [[unlikely]]  // no job sees what another has set
                static_cast<void>(driver_->exchange_context({}));
            continue;
        }
        next = static_cast<strand_wait*>(first);
        if (!queue_.try_retire_driver()) return drive_result::hand_over;
        if (next->claim())
            wake(*next->self);
        else
            pass_on();
        next->release();
        return drive_result::ended;
    }
}

/// By a holder that is no driver: it is none any more.
void strand_core::pass_on() noexcept {
    for (;;) {
        strand_node<env>* first = queue_.take();
        if (first == nullptr) {
            switch (queue_.rest(false)) {
                case strand_queue<env>::rest_result::idle:
                    return;
                case strand_queue<env>::rest_result::driver_waits:
                    return wake(*driver_);
                case strand_queue<env>::rest_result::more:
                    continue;
            }
        }
        if (!first->is_wait) return start_or_wake_driver(static_cast<strand_job&>(*first));
        auto& wait = static_cast<strand_wait&>(*first);
        const bool is_given = wait.claim();
        if (is_given) wake(*wait.self);
        wait.release();
        if (is_given) return;
    }
}

void strand_core::start_or_wake_driver(strand_job& first) noexcept {
    const bool starts = first.brings_driver.load();
    if (starts) driver_ = first.driver;
    task_state& driver = *driver_;
    queue_.put_back(first);
    if (starts)
        submit(driver);
    else
        wake(driver);
}

void strand_core::queue_start(task_state& starting, strand_wait& place) noexcept {
    place.self = &starting;
    place.strand = this;
    starting.operation = &place;
    // As if its body had suspended before its first step. A request that came in between ends it.
    if (starting.lifecycle.try_suspend() != life::suspension::suspended) {
        static_cast<void>(place.unlink());
        submit_new(starting);
    } else if (queue_.push_or_acquire(place)) {
        if (!place.claim())
            pass_on();
        else if (starting.lifecycle.wake() == life::wake_duty::enqueue)
            submit_new(starting);
    } else {
        return;
    }
    place.release();
}

void strand_core::enter(const promise_base& holder, const task_state* owner) noexcept {
    holder_.store(&holder, std::memory_order_relaxed);  // only the holder finds itself: no edge
    holder_task_.store(owner->id(), std::memory_order_relaxed);  // the same: no edge
}

void strand_core::leave() noexcept {
    holder_.store(nullptr, std::memory_order_relaxed);  // only the holder finds itself: no edge
    holder_task_.store(0, std::memory_order_relaxed);   // the same: no edge
    pass_on();
}

bool strand_core::is_held_around(const promise_base& caller,
                                 const task_state* owner) const noexcept {
    const std::uint64_t task =
        holder_task_.load(std::memory_order_relaxed);                      // as in enter: no edge
    const promise_base* holder = holder_.load(std::memory_order_relaxed);  // the same: no edge
    if (task != owner->id()) return false;
    const promise_base* frame = &caller;
    while (frame != nullptr && frame != holder) frame = frame->enclosing();
    return frame != nullptr;
}

strand_wait* strand_wait::make() { return new (allocate_block(sizeof(strand_wait))) strand_wait; }

void strand_wait::release() noexcept {
    if (!drop()) return;
    this->~strand_wait();
    free_block(this, sizeof(strand_wait));
}

life::cancel_outcome strand_wait::unlink() noexcept {
    if (unlinked_ || !withdraw()) return life::cancel_outcome::lost;
    unlinked_ = true;
    return life::cancel_outcome::unlinked;
}

trace::suspend_reason strand_wait::wait_reason() const noexcept {
    return trace::suspend_reason::mutex;
}

waits_on strand_wait::name_awaited(wait_listener& to) const noexcept {
    const std::uint64_t holder = strand->holder_task();
    if (holder == 0) return waits_on::outside;
    to.hear_of_holder(holder);
    return waits_on::all;
}

strand_hold::~strand_hold() {
    if (wait_ == nullptr) return;
    // Cancelled after it was given the strand and before it went on.
    if (state_ != state::left && !wait_->withdraw() && wait_->is_granted()) {
        strand_.get()->leave();
    }
    wait_->release();
}

/// An idle strand is taken here; otherwise there is a place for the queue.
void strand_hold::prepare() {
    if (wait_ != nullptr) return;  // queued before it began
    if (strand_.get()->try_acquire())
        state_ = state::inside;
    else
        wait_ = strand_wait::make();
}

bool strand_hold::begin(promise_base& caller, std::coroutine_handle<> frame) noexcept {
    strand_core& strand = *strand_.get();
    promise_ = &caller;
    owner_ = caller.in_place().owner;
    if (state_ == state::inside) {
        strand.enter(caller, owner_);
        return false;
    }
    if (wait_->self != nullptr) {  // queued before it began, and granted or withdrawn now
        state_ = state::waiting;
        return false;
    }
    if (strand.is_held_around(caller, owner_)) {
        static_cast<void>(wait_->drop());  // it is not queued
        state_ = state::refused;
        return false;
    }
    runnable& self = caller.current();
    state_ = state::waiting;
    wait_->self = &self;
    wait_->strand = &strand;
    self.resume_point = frame;
    self.operation = wait_;
    if (!strand.push_or_acquire(*wait_)) return commit_suspend(self);
    static_cast<void>(wait_->drop());  // it is not queued
    std::exchange(wait_, nullptr)->release();
    state_ = state::inside;
    strand.enter(caller, owner_);
    return false;
}

void strand_hold::end_wait() {
    if (state_ == state::refused) {
        throw usage_error(
            "this coroutine has the strand, or runs in one that has: await what it gave to run "
            "directly");
    }
    if (state_ == state::inside) return;
    runnable& self = *wait_->self;
    if (must_deliver_cancel(self, *wait_)) throw_cancelled(self);
    strand_.get()->enter(*promise_, owner_);
    state_ = state::inside;
}

void strand_hold::leave() noexcept {
    state_ = state::left;
    strand_.get()->leave();
}

}  // namespace weft::detail
