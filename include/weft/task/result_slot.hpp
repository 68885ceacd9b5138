// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Where a coroutine leaves its value or exception: a part of its promise.
#pragma once

#include <exception>
#include <memory>
#include <utility>

#include "weft/task/promise.hpp"

namespace weft::detail {

/// Empty until the coroutine has ended.
template <class T>
class result_slot {
public:
    result_slot() noexcept {}
    result_slot(const result_slot&) = delete;
    result_slot& operator=(const result_slot&) = delete;
    ~result_slot() {
        if (state_ == state::value) std::destroy_at(std::addressof(value_));
        if (state_ == state::error) std::destroy_at(std::addressof(error_));
    }

    template <class U>
    void set_value(U&& value) {
        std::construct_at(std::addressof(value_), std::forward<U>(value));
        state_ = state::value;
    }
    void set_error(std::exception_ptr error) noexcept {
        // A local's destructor may throw after `co_return value`.
        if (state_ == state::value) std::destroy_at(std::addressof(value_));
        std::construct_at(std::addressof(error_), std::move(error));
        state_ = state::error;
    }
    [[nodiscard]] bool has_value() const noexcept { return state_ == state::value; }
    [[nodiscard]] bool has_error() const noexcept { return state_ == state::error; }
    [[nodiscard]] T& value() noexcept { return value_; }
    [[nodiscard]] std::exception_ptr& error() noexcept { return error_; }
    WEFT_INLINE_RESUME T take() {
        if (state_ == state::error) [[unlikely]]
            std::rethrow_exception(error_);
        return std::move(value_);
    }

private:
    enum class state : unsigned char { empty, value, error };
    union {
        T value_;
        std::exception_ptr error_;
    };
    state state_ = state::empty;
};

template <>
class result_slot<void> {
public:
    void set_value() noexcept { done_ = true; }
    void set_error(std::exception_ptr error) noexcept { error_ = std::move(error); }
    [[nodiscard]] bool has_value() const noexcept { return done_; }
    [[nodiscard]] bool has_error() const noexcept { return error_ != nullptr; }
    [[nodiscard]] std::exception_ptr& error() noexcept { return error_; }
    WEFT_INLINE_RESUME void take() const {
        if (error_) [[unlikely]]
            std::rethrow_exception(error_);
    }

private:
    std::exception_ptr error_;
    bool done_ = false;
};

}  // namespace weft::detail
