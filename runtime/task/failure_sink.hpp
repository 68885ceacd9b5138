// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Where exceptions go that have nobody to be thrown at. Shared by a runtime and by every failed
// task that may outlive it.
#pragma once

#include <functional>
#include <mutex>
#include <utility>

#include "weft/task/failure.hpp"

namespace weft::detail {

class failure_sink {
public:
    explicit failure_sink(failure_handler handler) noexcept : handler_(std::move(handler)) {}

    /// Calls the handler, one call at a time; the default one prints a line to standard error. A
    /// handler that throws is reported and contained. Any thread.
    void report(const failure& what) noexcept;
    void set_handler(failure_handler handler);

private:
    std::mutex mutex_;
    failure_handler handler_;
};

}  // namespace weft::detail
