// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What weft throws. Failures of the outside world are std::system_error and do not appear here.
#pragma once

#include <cstdint>
#include <exception>
#include <source_location>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "weft/task/cancel_reason.hpp"
#include "weft/task/exception_group.hpp"

namespace weft {

/// Thrown at a suspension point of a task that was cancelled. Deliberately not a std::exception:
/// `catch (const std::exception&)` around an await must not swallow a cancellation. Catch it by
/// reference, clean up, and rethrow it with `throw;` unless the task means to carry on.
class cancelled {
public:
    cancelled() noexcept = default;
    explicit cancelled(detail::reason_ref reason) noexcept : reason_(std::move(reason)) {}

    /// The text given to `cancel()`; empty if there was none.
    [[nodiscard]] std::string_view reason() const noexcept {
        return reason_ ? std::string_view{reason_->text} : std::string_view{};
    }
    /// Where `cancel()` was called.
    [[nodiscard]] std::source_location where() const noexcept {
        return reason_ ? reason_->where : std::source_location{};
    }
    /// Id of the task that asked; 0 if that was no task.
    [[nodiscard]] std::uint64_t requester() const noexcept {
        return reason_ ? reason_->requester : 0;
    }
    [[nodiscard]] const detail::reason_ref& shared_reason() const noexcept { return reason_; }

private:
    detail::reason_ref reason_;
};

/// True if `error` holds a `cancelled`. May cost a rethrow if it does not; meant for error paths.
[[nodiscard]] bool is_cancellation(const std::exception_ptr& error) noexcept;

/// A deadline passed before the operation ended.
class timeout_error : public std::runtime_error {
public:
    timeout_error() : std::runtime_error("weft: the deadline passed") {}
    explicit timeout_error(std::exception_ptr cause) : timeout_error() {
        cause_ = std::move(cause);
    }
    using std::runtime_error::runtime_error;

    /// The `cancelled` by which the body of a time limit ended; null if it never began.
    [[nodiscard]] const std::exception_ptr& cause() const noexcept { return cause_; }

private:
    // Not a std::nested_exception: rethrow_if_nested() ends the process where there is none.
    std::exception_ptr cause_;
};

/// A result was asked of a task that has none yet.
class invalid_state_error : public std::logic_error {
    using std::logic_error::logic_error;
};

/// Misuse that can only be seen at run time: the text says what to do instead.
class usage_error : public std::logic_error {
    using std::logic_error::logic_error;
};

/// The runtime has been closed: nothing more can be started on it.
class runtime_closed : public std::runtime_error {
public:
    runtime_closed() : std::runtime_error("weft: the runtime is closed") {}
};

/// Thrown by `run` and `block_on` when a signal cancelled the main task. A program that does not
/// catch it ends by that signal, as it would have without weft, and dumps no core.
class interrupted : public std::runtime_error {
public:
    explicit interrupted(int signal_number)
        : std::runtime_error("weft: interrupted by a signal"), signal_number_(signal_number) {}
    [[nodiscard]] int signal_number() const noexcept { return signal_number_; }

private:
    int signal_number_;
};

}  // namespace weft
