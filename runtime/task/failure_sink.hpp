// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Where exceptions go that have nobody to be thrown at. Shared by a runtime and by every failed
// task that may outlive it.
#pragma once

#include <exception>
#include <memory>
#include <mutex>
#include <string>

#include "weft/task/failure.hpp"

namespace weft::detail {

/// What the exception says, for messages. Throws std::bad_alloc.
[[nodiscard]] std::string describe(const std::exception_ptr& error);

class failure_sink {
public:
    /// Calls the handler, one call at a time; without one, prints a line to standard error. A
    /// handler that throws is reported and contained; one that causes a failure itself is called
    /// from within. Any thread.
    void report(const failure& what) noexcept;
    void set_handler(failure_handler handler);

private:
    std::recursive_mutex mutex_;
    std::shared_ptr<const failure_handler> handler_;  // null: none; shared: it may replace itself
};

}  // namespace weft::detail
