// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// as_completed: the outcomes of several tasks in the order in which they end.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include "weft/combine/completion_queue.hpp"
#include "weft/combine/gather_argument.hpp"
#include "weft/error.hpp"
#include "weft/time/time_limit.hpp"

namespace weft {

namespace detail {

template <class A>
class ticket_awaiter final : public completion_taker {
public:
    explicit ticket_awaiter(std::shared_ptr<completion_queue> queue) noexcept
        : completion_taker(std::move(queue)) {}
    gathered<A> await_resume() {
        const any_task* const done = end();
        if (done == nullptr) throw usage_error("next() has given all results; none is left here");
        task_state& state = *task_access::state(*done);
        state.throw_unless_value();
        if constexpr (!std::is_void_v<gathered<A>>) return gathered_value<A>(state);
    }
};

template <class A>
class next_awaiter final : public completion_taker {
public:
    explicit next_awaiter(std::shared_ptr<completion_queue> queue) noexcept
        : completion_taker(std::move(queue)) {}
    std::optional<handle_of<A>> await_resume() {
        const any_task* const done = end();
        if (done == nullptr) return std::nullopt;
        return handle_to<A>(*done);
    }
};

/// Starts what is to be started; each task once.
template <class A>
std::vector<any_task> start_distinct(std::vector<A>& arguments) {
    std::vector<any_task> tasks = start_range(arguments);
    if constexpr (!gather_argument<A>::own) {
        std::unordered_set<const task_state*> seen;
        std::erase_if(tasks, [&seen](const any_task& t) {
            return !seen.insert(task_access::state(t)).second;
        });
    }
    return tasks;
}

}  // namespace detail

/// One of the results of an as_completed: `co_await ticket` gives the next one, the value or the
/// exception of the task that has ended first among those that no other ticket has given.
/// Tickets are interchangeable: the one awaited first gets the result that comes first.
///
/// Awaited once, else usage_error. Move-only; may be awaited in any task and outlive the object
/// that gave it. Cancelling the awaiting task is for this ticket alone: the tasks go on, and the
/// result stays for the next one. After the deadline: timeout_error.
template <class A>
class completion_ticket {
public:
    explicit completion_ticket(std::shared_ptr<detail::completion_queue> queue) noexcept
        : queue_(std::move(queue)) {}
    completion_ticket(completion_ticket&&) noexcept = default;
    completion_ticket& operator=(completion_ticket&&) noexcept = default;

    [[nodiscard]] detail::ticket_awaiter<A> operator co_await() {
        if (queue_ == nullptr) {
            throw usage_error(
                "this ticket was awaited before or moved from: each gives one result, once");
        }
        return detail::ticket_awaiter<A>{std::move(queue_)};
    }

private:
    std::shared_ptr<detail::completion_queue> queue_;
};

/// What as_completed gives: a range of tickets, as many as there are tasks.
template <class A>
class completions {
public:
    completions(std::vector<any_task> tasks, detail::time_point deadline);

    [[nodiscard]] auto begin() noexcept { return tickets_.begin(); }
    [[nodiscard]] auto end() noexcept { return tickets_.end(); }
    [[nodiscard]] std::size_t size() const noexcept { return tickets_.size(); }
    [[nodiscard]] completion_ticket<A>& operator[](std::size_t i) noexcept { return tickets_[i]; }

    /// Instead of tickets, `while (auto t = co_await done.next())`: the handle of the task that has
    /// ended next, an empty optional once each has been given. Looking at the task is left to the
    /// caller. What a ticket has given is not given again. Cancellation and deadline as for
    /// tickets.
    [[nodiscard]] detail::next_awaiter<A> next() { return detail::next_awaiter<A>{queue_}; }

private:
    std::shared_ptr<detail::completion_queue> queue_;
    std::vector<completion_ticket<A>> tickets_;
};

/// The outcomes of the tasks in the order in which they end:
/// `for (auto& ticket : as_completed(std::move(tasks))) use(co_await ticket);`. Takes coroutines,
/// which become tasks at the call, other awaitables, or tasks; the same task several times counts
/// once. Values of tasks that were given are copied, those of coroutines moved.
///
/// It cancels nothing: the tasks go on whether their results are fetched or not. An error that no
/// ticket throws and nobody looks at is reported as never observed. Call inside a task; the result
/// is one task's, its tickets may go to others.
///
/// What ends after the limit, which counts from now, is not given: each ticket that is left then
/// throws timeout_error, and so does next().
template <detail::gatherable A>
[[nodiscard]] completions<A> as_completed(std::vector<A> arguments,
                                          time_limit limit = std::nullopt) {
    const detail::time_point deadline = detail::deadline_of(limit);
    return completions<A>{detail::start_distinct(arguments), deadline};
}

// ---------------------------------------------------------------------------------------------

template <class A>
completions<A>::completions(std::vector<any_task> tasks, detail::time_point deadline)
    : queue_(detail::completion_queue::make(std::move(tasks), deadline)) {
    tickets_.reserve(queue_->size());
    for (std::size_t i = 0; i < queue_->size(); ++i) tickets_.emplace_back(queue_);
}

}  // namespace weft
