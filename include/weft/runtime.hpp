// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The runtime: workers, and the ways into them from threads that are none.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "weft/base/lifetime.hpp"
#include "weft/sched/slow_run.hpp"
#include "weft/sched/task_dump.hpp"
#include "weft/task/call_soon.hpp"
#include "weft/task/create_task.hpp"
#include "weft/task/failure.hpp"

namespace weft {

struct runtime_options {
    /// Threads that run tasks; 0: as many as the process may use by affinity and cgroup quota. One
    /// worker keeps asyncio's strict first-in-first-out order. At most 256.
    unsigned workers = 0;
    /// Worker threads are called "<name>-<index>" (15 characters at most reach the kernel).
    std::string_view thread_name = "weft";
    /// Bytes of stack of each worker; 0: the system's default. Coroutines live on the heap, so only
    /// what they call needs it.
    std::size_t stack_size = 0;
    /// Binds worker i to the i-th allowed core.
    bool pin = false;
    /// `run` and `block_on` turn the first SIGINT or SIGTERM into cancellation of the main task; a
    /// second one has its default effect. A signal that the process ignores or handles itself is
    /// left alone. Empty, as in asyncio: SIGINT only, and only on the process's main thread. Of
    /// several threads that block, the first with `true` is told, or else the main thread. A main
    /// task that fails after the request with an error of its own ends with that alone.
    std::optional<bool> handle_signals{};
    /// How long `close` waits for the tasks it cancelled; what is left then is reported and leaked.
    std::chrono::nanoseconds shutdown_timeout = std::chrono::nanoseconds::max();
    /// On each worker's thread before its first task and after its last: index, `hook_context`.
    void (*on_worker_start)(unsigned index, void* context) = nullptr;
    void (*on_worker_stop)(unsigned index, void* context) = nullptr;
    void* hook_context = nullptr;
    /// How long a worker out of work may look around before it sleeps, at most a millisecond; it
    /// does so only while its last waits were about that short, and not where there are more
    /// workers than cores. A sender's wake-up then costs it no system call. Zero: sleep at once.
    /// Empty: 20 µs for a single worker, 5 µs for each of several.
    std::optional<std::chrono::nanoseconds> idle_spin{};
    /// A task that has kept its worker for this long, computing or blocked in a system call, is
    /// named: see set_slow_run_handler. Zero: never.
    std::chrono::nanoseconds slow_run = std::chrono::milliseconds{10};
    /// How many threads may begin beside the workers while all of those are kept by their tasks, so
    /// that ready tasks, timers and sockets are served. They are started when first needed and
    /// sleep when not; to the hooks their indices follow the workers'. None beside a single worker.
    unsigned rescue_workers = 4;
    /// A signal upon which the runtime tells what each of its tasks waits for: see
    /// set_dump_handler. Zero: none. One that the program handles or ignores itself is refused with
    /// usage_error.
    int dump_signal = 0;
    /// Once nothing has run for this long, circles of tasks that wait for each other, as
    /// find_deadlocks() gives them, are reported to the failure handler, each once; not among more
    /// than 10000 tasks, nor beside a single worker whose slow_run is zero. Zero: never.
    std::chrono::nanoseconds report_deadlocks = std::chrono::seconds{10};
    /// `close` reports each task that is alive when it begins and that no task and no callback
    /// waits for.
    bool report_unawaited = false;
};

/// Counts since the runtime began; a worker's own are summed while it runs, so they are a moment's
/// estimate unless the runtime is idle.
struct runtime_statistics {
    std::uint64_t resumptions = 0;  ///< runnables resumed by a worker
    std::uint64_t steals = 0;       ///< successful visits to another worker's queues
    std::uint64_t stolen = 0;       ///< runnables taken by them
    std::uint64_t parks = 0;        ///< times that a worker went to sleep
    std::uint64_t polls = 0;        ///< looks at descriptors
    std::uint64_t timers_fired = 0;
    std::uint64_t injected = 0;      ///< runnables taken from the injection queue
    std::uint64_t timers_armed = 0;  ///< timers that are armed now
    std::uint64_t live_tasks = 0;  ///< tasks that are not done now, callbacks that wait among them
    unsigned rescue_workers = 0;   ///< started so far, on duty or resting
};

namespace detail {
class runtime_core;
class main_wait;
}  // namespace detail

/// Several may exist in one process. Construction starts the workers: throws std::system_error when
/// a thread or descriptor cannot be had, std::invalid_argument for options out of range. Members
/// are for any thread but a worker of this runtime, unless they say otherwise. After fork() the
/// child may exec, exit, or start a runtime of its own; its copy of the parent's is dead: using it
/// ends the child with a sentence, destroying it does nothing. Workers block all signals but those
/// of faults; a fork's child has the mask of the thread that made the runtime, but what a task
/// starts with posix_spawn or system inherits the block (see POSIX_SPAWN_SETSIGMASK).
class runtime {
public:
    explicit runtime(runtime_options options = {});
    /// close(), with what that cannot finish reported.
    ~runtime();
    runtime(const runtime&) = delete;
    runtime& operator=(const runtime&) = delete;

    /// Runs `body` as a task and blocks this thread until it is done; gives its value or throws
    /// what it threw, or `interrupted`: if a signal ended it, and if one came too late for that,
    /// when what it threw goes to the failure handler. Other tasks go on afterwards. The task
    /// begins with the task-local values that the last one to end here has left. Throws usage_error
    /// on a worker (await there instead), runtime_closed after close.
    template <class T>
    T block_on(coro<T> body);

    /// Starts a task from any thread, workers included. Throws runtime_closed; once close has begun
    /// only this runtime's own tasks may start others.
    template <class T>
    task<T> spawn(coro<T> body WEFT_LIFETIMEBOUND, task_options options = {});

    /// weft::call_soon and its like from any thread, workers included; they wake an idle runtime.
    /// From outside its workers, callbacks are called in the order in which they come: of one
    /// thread, in the order of these calls. Throw runtime_closed as spawn does.
    template <class F, class... Args>
        requires detail::callback_function<F, Args...>
    timer_handle call_soon(F&& f, Args&&... args);
    template <class Rep, class Period, class F, class... Args>
        requires detail::callback_function<F, Args...>
    timer_handle call_later(std::chrono::duration<Rep, Period> delay, F&& f, Args&&... args);
    template <class F, class... Args>
        requires detail::callback_function<F, Args...>
    timer_handle call_at(std::chrono::steady_clock::time_point deadline, F&& f, Args&&... args);

    /// Cancels every task and waits for them, round after round until none is left; reports what
    /// they threw; then stops the workers. Tasks started by a task that is being stopped run
    /// normally until the next round. Callbacks are called as ever while a task is left; then those
    /// whose time has not come are dropped, uncalled. Idempotent.
    void close();

    /// Called with exceptions that nobody receives; empty: a line on standard error.
    void set_failure_handler(failure_handler handler);

    /// Called with tasks that keep their worker for longer than runtime_options::slow_run, once for
    /// each run and at most ten times a second; empty: a line on standard error.
    void set_slow_run_handler(slow_run_handler handler);

    /// Called with dump_tasks(*this) when the process gets runtime_options::dump_signal; empty:
    /// text on standard error.
    void set_dump_handler(task_dump_handler handler);

    [[nodiscard]] unsigned worker_count() const noexcept;
    [[nodiscard]] runtime_statistics statistics() const;

private:
    friend detail::runtime_access;
    runtime(detail::runtime_access by, std::unique_ptr<detail::runtime_core> core);
    /// Watches signals from here on, before the main task can be seen running.
    [[nodiscard]] std::shared_ptr<detail::main_wait> prepare_to_block() const;
    void begin_main(const any_task& main);
    void block_until_done(detail::main_wait& wait, const any_task& main);
    [[nodiscard]] detail::runtime_port& port() const;
    [[nodiscard]] detail::worker_port& any_worker() const;
    void inject(const any_task& ready);

    std::unique_ptr<detail::runtime_core> core_;
};

/// Runs a program: a runtime of its own, `main` as its first task, and close() at the end, whose
/// failures are reported and never replace main's outcome. Ctrl-C cancels `main` and ends in
/// `interrupted`: see runtime_options::handle_signals. Throws usage_error inside a runtime.
template <class T>
T run(coro<T> main, runtime_options options = {}) {
    runtime here{options};
    try {
        return here.block_on(std::move(main));
    } catch (...) {
        here.close();  // where nobody catches, the stack is not unwound
        throw;
    }
}

// ---------------------------------------------------------------------------------------------

template <class T>
task<T> runtime::spawn(coro<T> body WEFT_LIFETIMEBOUND, task_options options) {
    task<T> handle = detail::start_task(body, options, &any_worker(), port());
    inject(handle);
    return handle;
}

template <class F, class... Args>
    requires detail::callback_function<F, Args...>
timer_handle runtime::call_soon(F&& f, Args&&... args) {
    return detail::callback_access::start<detail::callback_state>(
        detail::this_worker(), port(), detail::time_point::min(), std::forward<F>(f),
        std::forward<Args>(args)...);
}

template <class Rep, class Period, class F, class... Args>
    requires detail::callback_function<F, Args...>
timer_handle runtime::call_later(std::chrono::duration<Rep, Period> delay, F&& f, Args&&... args) {
    return call_at(detail::point_after(detail::to_signed_nanoseconds(delay)), std::forward<F>(f),
                   std::forward<Args>(args)...);
}

template <class F, class... Args>
    requires detail::callback_function<F, Args...>
timer_handle runtime::call_at(std::chrono::steady_clock::time_point deadline, F&& f,
                              Args&&... args) {
    return detail::callback_access::start<detail::timed_callback>(
        detail::this_worker(), port(), deadline, std::forward<F>(f), std::forward<Args>(args)...);
}

template <class T>
T runtime::block_on(coro<T> body) {
    auto wait = prepare_to_block();
    task<T> main = detail::start_task(body, {}, &any_worker(), port());
    begin_main(main);
    block_until_done(*wait, main);
    if constexpr (std::is_void_v<T>)
        main.result();
    else
        return std::move(main.result());
}

}  // namespace weft
