// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The windowed gather: as many lanes as children may run at one time, each a task that makes the
// next coroutine a task and awaits it, again and again. The gather itself is one of the lanes, so
// what it does about failures and cancellation is what every gather does: a request goes to each
// lane, from there to the lane's child, and a lane that was asked begins nothing more.
//
// Protocol: gather window                       checked by: tests/stress/gather_stress_test.cpp
// Roles      lanes · awaiting task
// Words      next: the first child that no lane has claimed; beyond the last once nothing more is
//            to begin
// Fields     a child's body and handle → the lane that claimed it, then the awaiting task
// Edges      none: the word is a claim; the handles travel through the lanes' ends
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <expected>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/combine/gather_argument.hpp"
#include "weft/combine/gather_core.hpp"
#include "weft/error.hpp"

namespace weft {

struct gather_options {
    /// How many of the children may be running at one time, at least 1.
    std::size_t limit;
};

namespace detail {

/// What the lanes share.
template <class T>
class gather_window {
public:
    explicit gather_window(std::vector<coro<T>> bodies)
        : bodies_(std::move(bodies)), children_(bodies_.size()) {
        for (const coro<T>& body : bodies_) {
            WEFT_CHECK(body.valid(), "gather was given a coro that was awaited or moved from");
        }
    }

    gather_window(const gather_window&) = delete;
    gather_window& operator=(const gather_window&) = delete;
    /// With those that were not to begin any more.
    ~gather_window() {
        for (coro<T>& body : bodies_) coro_access::discard(body);
    }

    /// The next child to run; none once all have begun or nothing more is to. Throws `cancelled` to
    /// a lane that was asked to stop if that leaves children unstarted.
    [[nodiscard]] std::optional<std::size_t> claim() {
        if (current_task().cancelling() != 0) {
            if (stop()) throw_cancelled(*current_runnable());
            return std::nullopt;
        }
        const std::size_t i = next_.fetch_add(1, std::memory_order_relaxed);  // no edge: a claim
        return i < size() ? std::optional{i} : std::nullopt;
    }
    /// True if that leaves children unstarted.
    bool stop() noexcept {
        return next_.exchange(size(), std::memory_order_relaxed) < size();  // no edge: a claim
    }
    task<T>& begin(std::size_t i) {
        children_[i] = create_task(std::move(bodies_[i]));
        return children_[i];
    }

    [[nodiscard]] std::size_t size() const noexcept { return children_.size(); }
    /// Once the lanes have ended. Null: it was never begun.
    [[nodiscard]] task_state* child(std::size_t i) const noexcept {
        return task_access::state(children_[i]);
    }

private:
    std::vector<coro<T>> bodies_;
    std::vector<task<T>> children_;
    real_environment::atomic<std::size_t> next_{0};
};

/// Ends with the first failure.
template <class T>
coro<> run_lane(std::shared_ptr<gather_window<T>> window) {
    try {
        while (const std::optional<std::size_t> i = window->claim()) co_await window->begin(*i);
    } catch (...) {
        window->stop();
        throw;
    }
}

/// Leaves the outcomes to the awaiting task.
template <class T>
coro<> run_settling_lane(std::shared_ptr<gather_window<T>> window) {
    while (const std::optional<std::size_t> i = window->claim()) {
        const task<T>& child = window->begin(*i);
        try {
            co_await child;
        } catch (...) {
            if (!child.done()) throw;  // the await was taken out of a circle
        }
    }
}

template <class T>
std::vector<any_task> start_lanes(coro<> (*lane)(std::shared_ptr<gather_window<T>>),
                                  const std::shared_ptr<gather_window<T>>& window,
                                  gather_options options) {
    if (options.limit == 0) {
        throw std::invalid_argument("weft: a gather with a limit of 0 would never begin");
    }
    const std::size_t count = std::min(options.limit, window->size());
    std::vector<any_task> lanes;
    lanes.reserve(count);
    for (std::size_t i = 0; i < count; ++i) lanes.push_back(create_task(lane(window)));
    return lanes;
}

template <class T>
class windowed_gather final : public gather_operation {
public:
    windowed_gather(gather_options options, std::vector<coro<T>> bodies)
        : windowed_gather(options, std::make_shared<gather_window<T>>(std::move(bodies))) {}
    auto await_resume() {
        end();
        if constexpr (!std::is_void_v<T>) {
            std::vector<T> values;
            values.reserve(window_->size());
            for (std::size_t i = 0; i < window_->size(); ++i) {
                values.push_back(gathered_value<coro<T>>(*window_->child(i)));
            }
            return values;
        }
    }

private:
    windowed_gather(gather_options options, std::shared_ptr<gather_window<T>> window) try
        : gather_operation(gather_core::mode::first_error,
                           start_lanes(&run_lane<T>, window, options)),
          window_(std::move(window)) {
    } catch (...) {
        window->stop();  // the lanes that there are already begin nothing more
        throw;
    }

    std::shared_ptr<gather_window<T>> window_;
};

template <class T>
class windowed_settle final : public gather_operation {
public:
    windowed_settle(gather_options options, std::vector<coro<T>> bodies)
        : windowed_settle(options, std::make_shared<gather_window<T>>(std::move(bodies))) {}
    std::vector<settled<T>> await_resume() {
        end();
        std::vector<settled<T>> outcomes;
        outcomes.reserve(window_->size());
        for (std::size_t i = 0; i < window_->size(); ++i) {
            task_state* const child = window_->child(i);
            outcomes.push_back(child != nullptr ? settled_value<coro<T>>(*child)
                                                : settled<T>{std::unexpected(never_begun())});
        }
        return outcomes;
    }

private:
    windowed_settle(gather_options options, std::shared_ptr<gather_window<T>> window) try
        : gather_operation(gather_core::mode::settle,
                           start_lanes(&run_settling_lane<T>, window, options)),
          window_(std::move(window)) {
    } catch (...) {
        window->stop();  // the lanes that there are already begin nothing more
        throw;
    }
    /// Why a child has no task: what the lane that should have made it ended with.
    [[nodiscard]] std::exception_ptr never_begun() const {
        for (std::size_t i = 0; i < size(); ++i) {
            if (std::exception_ptr error = child(i).error()) return error;
        }
        return std::make_exception_ptr(cancelled{});
    }

    std::shared_ptr<gather_window<T>> window_;
};

}  // namespace detail

}  // namespace weft
