// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What every test that starts a runtime stands in: a watchdog, a leak check, the worker counts to
// repeat with, and the base unit of time. Use `on_workers` around the whole body; inside, one task
// at a time may use Catch2's macros (they are not thread-safe).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/weft.hpp"

namespace weft::test {

using namespace std::chrono_literals;

/// The base unit T: WEFT_TEST_UNIT_MS, else 50 ms, 200 ms under a sanitizer.
[[nodiscard]] std::chrono::milliseconds unit();

/// Stands for "blocks far beyond any bound of the test".
inline constexpr std::chrono::seconds far{30};
/// What must be over although somebody slept `far`.
inline constexpr std::chrono::seconds soon{15};

/// Whether this is a build with a sanitizer, which needs descriptors and threads of its own.
[[nodiscard]] bool is_sanitized() noexcept;
/// Memory of this process that the system has pages for.
[[nodiscard]] std::size_t resident_bytes();

/// ThreadSanitizer keeps a signal back while the thread sits in a system call that it does not
/// know, such as a futex wait: tests of signals cannot run under it.
[[nodiscard]] bool signals_are_deferred() noexcept;

/// ThreadSanitizer runs a thread of its own, which polls: what a test counts of threads and system
/// calls is not the runtime's then.
[[nodiscard]] bool has_sanitizer_thread() noexcept;

/// ThreadSanitizer has no support for threads that the child of a process with threads starts: its
/// table still leads to the dead threads' states, whose stacks the child's next thread may unmap
/// (a crash in a new thread's SlotAttachAndLock, LLVM 19). Without a sanitizer they work.
[[nodiscard]] bool forked_child_has_threads() noexcept;

/// Aborts the process, with the name, if it lives longer than 25 s (100 s under a sanitizer).
class watchdog {
public:
    explicit watchdog(std::string_view name);
    ~watchdog();
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;
};

/// Coroutine frames, task blocks and open descriptors are the same at the end as at the beginning.
class leak_check {
public:
    leak_check();
    ~leak_check();
    leak_check(const leak_check&) = delete;
    leak_check& operator=(const leak_check&) = delete;

private:
    std::int64_t blocks_;
    std::size_t descriptors_;
};

[[nodiscard]] std::size_t open_descriptors();

inline constexpr std::initializer_list<unsigned> single{1};
inline constexpr std::initializer_list<unsigned> multi{1, 2, 4};

/// Runs `body(workers)` for each count, each time under a watchdog and a leak check.
void on_workers(std::initializer_list<unsigned> counts, const std::function<void(unsigned)>& body);

class stopwatch {
public:
    [[nodiscard]] std::chrono::nanoseconds elapsed() const {
        return std::chrono::steady_clock::now() - begin_;
    }

private:
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// Lines in the order in which any task added them.
class event_log {
public:
    void add(std::string line) {
        std::lock_guard guard{mutex_};
        lines_.push_back(std::move(line));
    }
    [[nodiscard]] std::vector<std::string> lines() const {
        std::lock_guard guard{mutex_};
        return lines_;
    }
    [[nodiscard]] std::size_t count(std::string_view line) const {
        std::lock_guard guard{mutex_};
        return static_cast<std::size_t>(std::ranges::count(lines_, line));
    }

private:
    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
};

/// What the failure handler of a runtime was told.
class failure_log {
public:
    void attach(runtime& target) {
        target.set_failure_handler([this](const failure& what) {
            std::lock_guard guard{mutex_};
            failures_.push_back(what);
        });
    }
    [[nodiscard]] std::vector<failure> all() const {
        std::lock_guard guard{mutex_};
        return failures_;
    }

private:
    mutable std::mutex mutex_;
    std::vector<failure> failures_;
};

/// Runs `action` when it is destroyed: what a `finally` block does in Python.
class scope_exit {
public:
    explicit scope_exit(std::function<void()> action) : action_(std::move(action)) {}
    scope_exit(const scope_exit&) = delete;
    scope_exit& operator=(const scope_exit&) = delete;
    ~scope_exit() { action_(); }

private:
    std::function<void()> action_;
};

/// A coroutine that only sleeps.
[[nodiscard]] coro<> coro_sleep(std::chrono::nanoseconds delay);

/// The text of the std::exception in `error`; "cancelled", "" for none, "?" for anything else.
[[nodiscard]] std::string text_of(const std::exception_ptr& error);

/// How a task that is done ended: "value", "cancelled" or the text of its exception.
[[nodiscard]] std::string outcome_of(const any_task& t);

}  // namespace weft::test
