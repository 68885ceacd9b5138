// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// promise and future: an outcome that comes from anywhere, such as a callback of another library,
// for any number of tasks that wait for it. A value from one task to one other: see oneshot.
#pragma once

#include <concepts>
#include <exception>
#include <functional>
#include <source_location>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

#include "weft/task/create_task.hpp"
#include "weft/task/future_record.hpp"

namespace weft {

class runtime;

/// The promise went without having set an outcome: nothing will come.
class broken_promise : public std::runtime_error {
public:
    broken_promise() : std::runtime_error("weft: the promise is gone and nothing was set") {}
};

template <class T>
class promise;

namespace detail {
struct future_access;
}

/// What a promise will set. A copyable, reference-counted handle, for any thread; may outlive the
/// promise and the runtime. `co_await f` gives T&, which lives as long as a handle does, any number
/// of times, by any number of tasks; `co_await std::move(f)` gives T, moved out if nobody else
/// holds it, a promise included, or T cannot be copied, else a copy. Awaiting rethrows what was set
/// as error. Awaiting what is done does not suspend, but each 128th await of one run that need not
/// lets go first what is ready.
///
/// Cancelling a task that awaits it cancels the future, and so whoever else awaits it, as in
/// asyncio; `shield` prevents that. An empty handle (default-constructed or moved from) only
/// converts to false.
template <class T = void>
class future : private any_task {
public:
    using value_type = T;

    future() noexcept = default;

    using any_task::operator bool;
    friend bool operator==(const future&, const future&) noexcept = default;
    /// True once there is an outcome; never false again.
    using any_task::done;
    /// True if it was cancelled.
    using any_task::cancelled;
    /// nullptr for a value; marks the error as observed. Throws `weft::cancelled`, or
    /// invalid_state_error for one that is not done.
    using any_task::exception;
    /// Makes it done: `weft::cancelled` is its outcome, and whoever awaits it gets that. False if
    /// there is an outcome already. Any thread; never blocks.
    using any_task::cancel;
    /// True if the callback had not begun and will not run.
    using any_task::remove_done_callback;

    /// The value; throws the error, `weft::cancelled`, or invalid_state_error.
    [[nodiscard]] std::add_lvalue_reference_t<T> result() const {
        state().throw_unless_value();
        if constexpr (!std::is_void_v<T>) return record().value().get();
    }
    /// Runs `f(future)` on a worker once it is done; soon if it already is. Never inline. Callbacks
    /// of one future run one after the other in the order of registration; one that throws is
    /// reported to the runtime's handler. Those of a future that is not done when its runtime
    /// closes are never called. Throws std::bad_alloc, runtime_closed.
    callback_token add_done_callback(std::move_only_function<void(future)> f) const {
        WEFT_CHECK(f, "a done-callback needs a function; this one is empty");
        return any_task::add_done_callback(
            [call = std::move(f)](any_task done) mutable { call(future{std::move(done)}); });
    }

    detail::task_awaiter<T, false> operator co_await() const& {
        static_cast<void>(state());
        return detail::task_awaiter<T, false>{state_};
    }
    detail::task_awaiter<T, true> operator co_await() && {
        static_cast<void>(state());
        return detail::task_awaiter<T, true>{std::exchange(state_, nullptr)};
    }

private:
    friend promise<T>;
    friend detail::future_access;
    friend detail::task_access;
    explicit future(any_task done) noexcept : any_task(std::move(done)) {}
    [[nodiscard]] detail::value_record<T>& record() const {
        return static_cast<detail::value_record<T>&>(state());
    }
};

namespace detail {

struct future_access {
    template <class T>
    static future<T> adopt(any_task state) noexcept {
        return future<T>{std::move(state)};
    }
};

}  // namespace detail

/// The producer's end, move-only: sets the outcome of its future once. The try_ forms say whether
/// they were the first, the others throw invalid_state_error if there is an outcome already, also
/// because the future was cancelled. All of them may be called by several threads at once, workers
/// or not; they queue whoever waits, resume nobody and never wait for a task. Once the outcome is
/// there the promise may go, also before the call that has set it returns. Destroying a promise
/// that has set nothing sets broken_promise as error.
template <class T = void>
class promise {
public:
    /// For the runtime of the running task. Throws usage_error outside a task, std::bad_alloc.
    explicit promise(std::source_location where = std::source_location::current())
        : promise(detail::worker_for_create_task().runtime(), where) {}
    /// For `home`, from any thread: its workers run the callbacks.
    template <std::same_as<runtime> Runtime>
    explicit promise(const Runtime& home,
                     std::source_location where = std::source_location::current())
        : promise(detail::runtime_access::port(home), where) {}
    promise(promise&& other) noexcept : record_(std::exchange(other.record_, nullptr)) {}
    promise& operator=(promise&& other) noexcept {
        std::swap(record_, other.record_);
        return *this;
    }
    ~promise() {
        if (record_ == nullptr) return;
        if (!record_->is_done() && record_->is_wanted()) {
            static_cast<void>(record_->try_set_error(std::make_exception_ptr(broken_promise())));
        }
        record_->drop();
    }

    /// Any number of times: all are the same future.
    [[nodiscard]] future<T> get_future() const {
        record().retain();
        return future<T>{detail::task_access::adopt(static_cast<detail::task_state*>(record_))};
    }
    /// True once there is an outcome, also by cancellation: a producer may then give up.
    [[nodiscard]] bool done() const { return record().is_done(); }

    /// What T's constructor throws becomes the outcome.
    template <class U = T>
        requires std::constructible_from<T, U>
    bool try_set_result(U&& value) const {
        return record().try_set_value(std::forward<U>(value));
    }
    bool try_set_result() const
        requires std::is_void_v<T>
    {
        return record().try_set_value();
    }
    template <class U = T>
        requires std::constructible_from<T, U>
    void set_result(U&& value) const {
        if (!try_set_result(std::forward<U>(value))) detail::throw_already_set();
    }
    void set_result() const
        requires std::is_void_v<T>
    {
        if (!try_set_result()) detail::throw_already_set();
    }
    /// `error`: not null, else std::invalid_argument. A `weft::cancelled` cancels the future.
    bool try_set_exception(std::exception_ptr error) const {
        if (error == nullptr) detail::throw_no_exception();
        return record().try_set_error(std::move(error));
    }
    void set_exception(std::exception_ptr error) const {
        if (!try_set_exception(std::move(error))) detail::throw_already_set();
    }

private:
    promise(detail::runtime_port& home, std::source_location where)
        : record_(detail::future_record<T>::make(home, where)) {}
    [[nodiscard]] detail::future_record<T>& record() const {
        WEFT_CHECK(record_ != nullptr, "this promise was moved from");
        return *record_;
    }

    detail::future_record<T>* record_;
};

}  // namespace weft
