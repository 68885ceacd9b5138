// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// How a group gets a child: the admission, and for task_group::start() the wait for the child's
// report and what it reports with.
#pragma once

#include <coroutine>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "weft/combine/group_core.hpp"
#include "weft/combine/when_all.hpp"
#include "weft/error.hpp"
#include "weft/task/create_task.hpp"

namespace weft {

namespace detail {

/// Until it is over, the child's failure is the starter's and not the group's. Lives in the frame
/// of the starter, who does not go on before. Guarded by the group's lock: `is_over_`, `self_`,
/// `asked_`, `is_told_`, `missed_`.
class start_wait final : public forwarding_operation {
public:
    start_wait(group_core& core, group_member& child) noexcept : core_(&core), member_(&child) {}
    start_wait(const start_wait&) = delete;
    start_wait& operator=(const start_wait&) = delete;
    ~start_wait();

    bool await_ready() const noexcept { return false; }
    template <weft_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return begin(caller.promise().current(), caller);
    }
    void await_resume() { end(); }

    /// The child, unless it was asked to stop before.
    runnable* next_to_cancel(const reason_ref& why) noexcept override;
    void note_answer(bool accepted) noexcept override;
    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override;
    waits_on name_awaited(wait_listener& to) const noexcept override;
    /// The child, once: from now on it is the group's.
    void report() noexcept;

private:
    friend group_core;
    [[nodiscard]] bool begin(runnable& self, std::coroutine_handle<> caller) noexcept;
    void end();
    [[nodiscard]] runnable* end_locked(task_state& child) noexcept;

    group_core* core_;
    group_member* member_;  // until it is over
    runnable* runnable_ = nullptr;
    runnable* self_ = nullptr;     // to be woken
    task_state* ended_ = nullptr;  // with a reference: it has not reported
    task_state* asked_ = nullptr;  // with a reference: to stop, by a canceller of the starter
    bool is_told_ = false;         // and its request has reached the child
    bool missed_ = false;          // which reported without having met it: it is the starter's
    bool is_over_ = false;
};

template <class V>
struct start_slot {
    start_wait wait;
    std::optional<value_or_monostate<V>> value;
};

struct status_access;

}  // namespace detail

/// With what a child that task_group::start() began says that it is ready. Belongs to the child,
/// whose first argument it is, and lives as long.
template <class V = void>
class task_status {
public:
    task_status(const task_status&) = delete;
    task_status& operator=(const task_status&) = delete;

    /// start() completes and gives `value`; from now on the child is one of the group like others.
    /// A second time: usage_error. By the child itself, or by what it awaits.
    template <class U = V>
        requires std::constructible_from<V, U>
    void started(U&& value) {
        slot().value.emplace(std::forward<U>(value));
        report();
    }
    void started()
        requires std::is_void_v<V>
    {
        slot().value.emplace();
        report();
    }

private:
    friend detail::status_access;
    explicit task_status(detail::start_slot<V>& slot) noexcept : slot_(&slot) {}
    detail::start_slot<V>& slot() const {
        if (slot_ == nullptr) throw usage_error("started() was called before: once is enough");
        return *slot_;
    }
    void report() noexcept { std::exchange(slot_, nullptr)->wait.report(); }

    detail::start_slot<V>* slot_;
};

// ---------------------------------------------------------------------------------------------

namespace detail {

template <class V, class F, class... Args>
concept reporting_callable = requires {
    typename coro_result<
        std::invoke_result_t<std::decay_t<F>, task_status<V>&, std::decay_t<Args>...>>::type;
};

/// The right to add one child, which keeps the group open.
class group_admission {
public:
    explicit group_admission(group_core& core) : core_(&core) { core.admit(); }
    group_admission(const group_admission&) = delete;
    group_admission& operator=(const group_admission&) = delete;
    ~group_admission() {
        if (member_ != nullptr) member_->destroy();
        if (core_ != nullptr) core_->retract();
    }
    [[nodiscard]] group_member& make_member() {
        member_ = group_member::make(*core_);
        return *member_;
    }
    template <class T>
    task<T> use(coro<T>& body, task_options options, start_wait* starter = nullptr) {
        worker_port* const here = this_worker();
        runtime_port& runtime = core_->runtime();
        const bool is_local = here != nullptr && &here->runtime() == &runtime;
        task<T> child =
            start_task(body, options, is_local ? here : &runtime.any_worker(), runtime, here);
        std::exchange(core_, nullptr)
            ->add(*std::exchange(member_, nullptr), *task_access::state(child), starter);
        return child;
    }

private:
    group_core* core_;
    group_member* member_ = nullptr;
};

struct status_access {
    template <class V>
    static task_status<V> make(start_slot<V>& slot) noexcept {
        return task_status<V>{slot};
    }
};

/// The body of a child that reports: keeps its callable and arguments.
template <class V, class F, class... Args>
coro<> report_from(start_slot<V>& slot, F callable, Args... args) {
    task_status<V> status = status_access::make(slot);
    co_await std::invoke(std::move(callable), status, std::move(args)...);
}

template <class V, class F, class... Args>
coro<V> start_in_group(group_ref core, task_options options, F callable, Args... args) {
    group_admission admission{*core};
    start_slot<V> slot{{*core, admission.make_member()}, {}};
    coro<> body = report_from<V, F, Args...>(slot, std::move(callable), std::move(args)...);
    static_cast<void>(admission.use(body, options, &slot.wait));
    co_await slot.wait;
    if constexpr (!std::is_void_v<V>) co_return std::move(*slot.value);
}

}  // namespace detail

}  // namespace weft
