// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// gate: a one-way switch that tasks wait for and anyone opens, from any thread. The smallest
// primitive that can be written on the runtime's own interface, so it also stands for whatever
// third parties will write.
#pragma once

#include <algorithm>
#include <coroutine>
#include <mutex>
#include <vector>

#include "weft/task/runnable.hpp"
#include "weft/weft.hpp"

namespace weft::test {

class gate {
public:
    class waiter;

    [[nodiscard]] waiter operator co_await() noexcept;
    [[nodiscard]] waiter wait() noexcept;
    void open();
    [[nodiscard]] bool is_open() const {
        std::lock_guard guard{mutex_};
        return open_;
    }
    [[nodiscard]] std::size_t waiting() const {
        std::lock_guard guard{mutex_};
        return waiters_.size();
    }

private:
    mutable std::mutex mutex_;
    std::vector<waiter*> waiters_;
    bool open_ = false;
};

class gate::waiter final : public detail::operation {
public:
    explicit waiter(gate& g) noexcept : gate_(g) {}
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;

    bool await_ready() const { return gate_.is_open(); }
    template <detail::weft_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) {
        detail::runnable& self = caller.promise().current();
        self_ = &self;
        self.resume_point = caller;
        self.operation = this;
        {
            std::lock_guard guard{gate_.mutex_};
            if (gate_.open_) return false;
            gate_.waiters_.push_back(this);
        }
        return detail::commit_suspend(self);
    }
    void await_resume() {
        if (self_ != nullptr && detail::must_deliver_cancel(*self_, *this)) {
            detail::throw_cancelled(*self_);
        }
    }

    detail::life::cancel_outcome unlink() noexcept override {
        std::lock_guard guard{gate_.mutex_};
        if (std::erase(gate_.waiters_, this) == 0) return detail::life::cancel_outcome::lost;
        unlinked_ = true;
        return detail::life::cancel_outcome::unlinked;
    }
    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override {
        return trace::suspend_reason::event;
    }

private:
    friend gate;
    gate& gate_;
    detail::runnable* self_ = nullptr;
};

inline gate::waiter gate::operator co_await() noexcept { return waiter{*this}; }
inline gate::waiter gate::wait() noexcept { return waiter{*this}; }

inline void gate::open() {
    std::vector<detail::runnable*> to_wake;
    {
        std::lock_guard guard{mutex_};
        open_ = true;
        for (waiter* w : waiters_) to_wake.push_back(w->self_);
        waiters_.clear();
    }
    for (detail::runnable* r : to_wake) detail::wake(*r);
}

}  // namespace weft::test
