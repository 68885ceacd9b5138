// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The control block of a future: that of a task without a body, which waits until its promise is
// kept. So whoever can wait for a task, cancel it or be told that it is done can do so with a
// future. Its first reference is the promise's.
#pragma once

#include <exception>
#include <utility>

#include "weft/task/settlement.hpp"
#include "weft/task/task_record.hpp"

namespace weft::detail {

[[noreturn]] void throw_already_set();
[[noreturn]] void throw_no_exception();

/// What a future waits on.
class promised_result final : public operation {
public:
    promised_result() noexcept = default;
    life::cancel_outcome unlink() noexcept override;
    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override;

    settlement<real_environment> settling;
    bool has_value = false;    // by the producer that claimed
    bool came_late = false;    // by whoever settles: it was cancelled before
    std::exception_ptr error;  // by the producer that claimed
};

template <class T>
class future_record final : public value_record<T> {
public:
    /// Throws std::bad_alloc.
    static future_record* make(runtime_port& runtime, std::source_location where) {
        void* block = allocate_block(block_bytes_of<future_record>());
        return new (block) future_record(runtime, where);
    }
    /// Any thread, holding a reference: false if the future is, or is about to be, done otherwise.
    /// What the value's constructor throws becomes the outcome.
    template <class... Arguments>
    [[nodiscard]] bool try_set_value(Arguments&&... arguments) noexcept {
        if (!result_.settling.claim()) return false;
        try {
            if constexpr (!std::is_void_v<T>)
                this->value().emplace(std::forward<Arguments>(arguments)...);
            result_.has_value = true;
        } catch (...) {
            result_.error = std::current_exception();
        }
        return publish();
    }
    [[nodiscard]] bool try_set_error(std::exception_ptr error) noexcept {
        if (!result_.settling.claim()) return false;
        result_.error = std::move(error);
        return publish();
    }

private:
    future_record(runtime_port& runtime, std::source_location where) noexcept
        : value_record<T>(ops_, &runtime.any_worker(), runtime, where) {
        this->leave_to_runtime();  // the promise's reference; get_future() makes the others
        this->wait_for_promise(result_);
    }
    /// Whoever it wakes may let go of the promise before this returns.
    [[nodiscard]] bool publish() noexcept {
        this->retain();
        this->settle_or_wait(result_);
        const bool came_late = result_.came_late;
        this->drop();
        return !came_late;
    }
    static void settle(runnable& self) noexcept {
        auto& record = static_cast<future_record&>(self);
        const bool is_kept = record.end_as_future(record.result_);
        if (!is_kept && record.result_.has_value) record.value().destroy();
        record.tell_awaiters();
    }
    static void dispose(task_state& self) noexcept {
        auto& record = static_cast<future_record&>(self);
        record.~future_record();
        free_block(&record, block_bytes_of<future_record>());
    }

    static constexpr runnable_ops ops_{nullptr, nullptr, &dispose, &settle};
    promised_result result_;
};

}  // namespace weft::detail
