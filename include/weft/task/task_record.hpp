// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The control block of a task with room for its value, and what happens at the end of its body.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include "weft/task/is_copyable.hpp"
#include "weft/task/task_state.hpp"

namespace weft::detail {

template <class T>
struct value_storage {
    value_storage() noexcept {}
    ~value_storage() {}
    template <class U>
    void emplace(U&& value) {
        std::construct_at(std::addressof(value_), std::forward<U>(value));
    }
    void destroy() noexcept { std::destroy_at(std::addressof(value_)); }
    T& get() noexcept { return value_; }
    union {
        T value_;
    };
};
template <>
struct value_storage<void> {
    void destroy() noexcept {}
};

/// The control block with room for the value.
template <class T>
class value_record : public task_state {
public:
    [[nodiscard]] value_storage<T>& value() noexcept { return value_; }
    /// For an await that was given its handle: moved out by the last holder; where others hold the
    /// task as well, who may read it at this moment, a copy if there can be one.
    [[nodiscard]] T take() {
        T& held = value_.get();
        if constexpr (is_copyable<T>::value && !std::is_trivially_copyable_v<T>) {
            if (!has_one_holder()) return std::as_const(held);
        }
        return std::move(held);
    }

protected:
    using task_state::task_state;
    ~value_record() {
        if (outcome() == outcome_kind::value) value_.destroy();
    }

private:
    [[no_unique_address]] value_storage<T> value_;
};

/// Whole cache lines, so that no two workers write to one for two tasks.
template <class Record>
[[nodiscard]] consteval std::size_t block_bytes_of() noexcept {
    constexpr std::size_t line_bytes = 64;
    static_assert(alignof(Record) <= 16, "return over-aligned values by std::unique_ptr");
    return (sizeof(Record) + line_bytes - 1) / line_bytes * line_bytes;
}

/// That of a task, with its body.
template <class T>
class task_record final : public value_record<T> {
public:
    /// Throws std::bad_alloc; `body` is untouched then.
    static task_record* make(coro<T>& body, worker_port* creator, runtime_port& runtime) {
        void* block = allocate_block(block_bytes_of<task_record>());
        return new (block) task_record(body, creator, runtime);
    }

private:
    task_record(coro<T>& body, worker_port* creator, runtime_port& runtime) noexcept
        : value_record<T>(ops_, creator, runtime, coro_access::promise(body).location()) {
        auto frame = coro_access::release(body);
        frame.promise().enter(*this, nullptr);
        this->resume_point = frame;
    }
    static std::coroutine_handle<> finish(runnable& self, std::coroutine_handle<> frame) noexcept;
    static std::coroutine_handle<> abandon(runnable& self) noexcept;
    static void dispose(task_state& self) noexcept;
    /// Moves the value in; returns the error if that, or the body, threw.
    std::exception_ptr keep(result_slot<T>& result) noexcept;

    static constexpr runnable_ops ops_{&finish, &abandon, &dispose};
};

template <class T>
std::exception_ptr task_record<T>::keep(result_slot<T>& result) noexcept {
    if (result.has_error()) return std::move(result.error());
    if constexpr (!std::is_void_v<T>) {
        try {
            this->value().emplace(std::move(result.value()));
        } catch (...) {
            return std::current_exception();
        }
    }
    return nullptr;
}

template <class T>
std::coroutine_handle<> task_record<T>::finish(runnable& self,
                                               std::coroutine_handle<> frame) noexcept {
    auto& record = static_cast<task_record&>(self);
    auto typed = std::coroutine_handle<coro_promise<T>>::from_address(frame.address());
    // The body's arguments go before anybody learns that the task is done.
    if (std::exception_ptr error = record.keep(typed.promise().result)) [[unlikely]] {
        destroy_quietly(typed);
        record.complete_error(std::move(error));
        return record.leave();
    }
    typed.destroy();
    if (record.may_be_unshared()) {
        if (std::coroutine_handle<> next = record.finish_unshared()) return next;
    }
    if (!record.complete_value()) {
        record.value().destroy();
        record.complete_error(record.cancellation());
    }
    return record.leave();
}

template <class T>
std::coroutine_handle<> task_record<T>::abandon(runnable& self) noexcept {
    auto& record = static_cast<task_record&>(self);
    destroy_quietly(self.resume_point);
    record.complete_error(record.cancellation());
    return record.leave();
}

template <class T>
void task_record<T>::dispose(task_state& self) noexcept {
    auto& record = static_cast<task_record&>(self);
    record.~task_record();
    free_block(&record, block_bytes_of<task_record>());
}

}  // namespace weft::detail
