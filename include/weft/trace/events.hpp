// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The trace points of the runtime, one line each: the emitter of the calling thread and the facts.
// Each costs one predictable branch while its level is off. The `_at` forms take a clock reading
// (`emitter.now()`) that several events of one moment share: the clock is the whole cost.
//
// `site` and `type` are ids from session.hpp (`define_site`, `define_type`); 0 means unknown.
// `object` identifies what a task waits for: any 32 bits that are equal for equal objects.
// `run` counts the resumptions of a task from 0: task_wake(t, n) leads to task_run(t, n).
#pragma once

#include <cstdint>

#include "weft/trace/format.hpp"
#include "weft/trace/layout.hpp"
#include "weft/trace/ring.hpp"

namespace weft::trace {

/// Parent = the current task of this stream, if there is one.
inline void task_create(emitter& e, task_id task, std::uint32_t type) noexcept {
    if (e.on(bits::tasks)) [[unlikely]] {
        e.emit(event::task_create, pack<event::task_create>(task, type));
    }
}

inline void task_run_at(emitter& e, std::uint64_t ticks, task_id task, unsigned run,
                        run_source source, std::uint64_t depth) noexcept {
    if (e.on(bits::tasks)) [[unlikely]] {
        e.emit_at(ticks, event::task_run, pack<event::task_run>(task, run, source, depth));
    }
}

/// `depth` is the length of the worker's own queue.
inline void task_run(emitter& e, task_id task, unsigned run, run_source source,
                     std::uint64_t depth) noexcept {
    if (e.on(bits::tasks)) [[unlikely]] {
        e.emit(event::task_run, pack<event::task_run>(task, run, source, depth));
    }
}

inline void task_suspend_at(emitter& e, std::uint64_t ticks, suspend_reason reason,
                            std::uint32_t site = no_site, std::uint64_t object = 0) noexcept {
    if (e.on(bits::tasks)) [[unlikely]] {
        e.emit_at(ticks, event::task_suspend, pack<event::task_suspend>(reason, site, object));
    }
}

/// The current task stops running here.
inline void task_suspend(emitter& e, suspend_reason reason, std::uint32_t site = no_site,
                         std::uint64_t object = 0) noexcept {
    if (e.on(bits::tasks)) [[unlikely]] {
        e.emit(event::task_suspend, pack<event::task_suspend>(reason, site, object));
    }
}

inline void task_finish_at(emitter& e, std::uint64_t ticks, finish_result result,
                           std::uint64_t runs, std::uint64_t frame_bytes) noexcept {
    if (e.on(bits::tasks)) [[unlikely]] {
        e.emit_at(ticks, event::task_finish, pack<event::task_finish>(result, runs, frame_bytes));
    }
}

/// The current task ends here.
inline void task_finish(emitter& e, finish_result result, std::uint64_t runs,
                        std::uint64_t frame_bytes) noexcept {
    if (e.on(bits::tasks)) [[unlikely]] {
        e.emit(event::task_finish, pack<event::task_finish>(result, runs, frame_bytes));
    }
}

inline void task_cancel(emitter& e, task_id task, cancel_cause cause, unsigned depth = 0) noexcept {
    if (e.on(bits::tasks)) [[unlikely]] {
        e.emit(event::task_cancel, pack<event::task_cancel>(task, cause, depth));
    }
}

/// The waker is the current task, or the runtime when there is none. `target` is the worker whose
/// queue receives the task, `no_worker` when it is the injection queue.
inline void task_wake_at(emitter& e, std::uint64_t ticks, task_id task, unsigned run, wake_via via,
                         unsigned target) noexcept {
    if (e.on(bits::tasks)) [[unlikely]] {
        e.emit_at(ticks, event::task_wake, pack<event::task_wake>(task, run, via, target));
    }
}

inline void task_wake(emitter& e, task_id task, unsigned run, wake_via via,
                      unsigned target) noexcept {
    if (e.on(bits::tasks)) [[unlikely]] {
        e.emit(event::task_wake, pack<event::task_wake>(task, run, via, target));
    }
}

inline void steal(emitter& e, unsigned victim, std::uint64_t got, std::uint64_t attempts) noexcept {
    if (e.on(bits::full)) [[unlikely]] {
        e.emit(event::steal, pack<event::steal>(victim, got, attempts));
    }
}

/// One for each search, whether it found work or not; `ticks` as long as `emitter.now()` says.
inline void search(emitter& e, std::uint64_t attempts, std::uint64_t victims,
                   std::uint64_t ticks) noexcept {
    if (e.on(bits::full)) [[unlikely]] {
        e.emit(event::search, pack<event::search>(attempts, victims, ticks));
    }
}

/// `timeout_us` is 0 where the worker sleeps until it is woken.
inline void park(emitter& e, std::uint64_t local, std::uint64_t injected, std::uint64_t timeout_us,
                 park_reason reason) noexcept {
    if (e.on(bits::tasks)) [[unlikely]] {
        e.emit(event::park, pack<event::park>(local, injected, timeout_us, reason));
    }
}

inline void unpark(emitter& e, unpark_cause cause, unsigned waker = no_worker) noexcept {
    if (e.on(bits::tasks)) [[unlikely]]
        e.emit(event::unpark, pack<event::unpark>(cause, waker));
}

inline void notify(emitter& e, unsigned worker, notify_reason reason) noexcept {
    if (e.on(bits::full)) [[unlikely]]
        e.emit(event::notify, pack<event::notify>(worker, reason));
}

inline void inject(emitter& e, task_id task, std::uint64_t depth) noexcept {
    if (e.on(bits::tasks)) [[unlikely]]
        e.emit(event::inject, pack<event::inject>(task, depth));
}

/// At most once a millisecond for each worker.
inline void queues(emitter& e, std::uint64_t local, std::uint64_t injected,
                   std::uint64_t live) noexcept {
    if (e.on(bits::tasks)) [[unlikely]] {
        e.emit(event::queues, pack<event::queues>(local, injected, live));
    }
}

inline void timer_fire(emitter& e, task_id task, std::uint64_t lateness_ns) noexcept {
    if (e.on(bits::tasks)) [[unlikely]] {
        e.emit(event::timer_fire, pack<event::timer_fire>(task, lateness_ns));
    }
}

inline void timer_arm(emitter& e, std::uint64_t delay_us, std::uint64_t object = 0) noexcept {
    if (e.on(bits::full)) [[unlikely]] {
        e.emit(event::timer_arm, pack<event::timer_arm>(delay_us, object));
    }
}

/// `result` is what the system call returned at once, negative for an errno.
inline void io_submit(emitter& e, int fd, io_operation operation, std::int64_t result) noexcept {
    if (e.on(bits::full)) [[unlikely]] {
        e.emit(event::io_submit, pack<event::io_submit>(fd, operation, result));
    }
}

/// `events`: 1 readable, 2 writable, 4 error, 8 hang-up.
inline void io_ready(emitter& e, task_id task, io_operation operation, unsigned events) noexcept {
    if (e.on(bits::full)) [[unlikely]] {
        e.emit(event::io_ready, pack<event::io_ready>(task, operation, events));
    }
}

inline void pool_submit(emitter& e, task_id task, std::uint64_t depth) noexcept {
    if (e.on(bits::tasks)) [[unlikely]] {
        e.emit(event::pool_submit, pack<event::pool_submit>(task, depth));
    }
}

inline void pool_start(emitter& e, task_id task, std::uint64_t depth) noexcept {
    if (e.on(bits::tasks)) [[unlikely]] {
        e.emit(event::pool_start, pack<event::pool_start>(task, depth));
    }
}

inline void pool_end(emitter& e, task_id task, std::uint64_t depth) noexcept {
    if (e.on(bits::tasks)) [[unlikely]] {
        e.emit(event::pool_end, pack<event::pool_end>(task, depth));
    }
}

/// Written by the watchdog for a run that lasts too long.
inline void long_run(emitter& e, task_id task, std::uint64_t run_ms) noexcept {
    if (e.on(bits::tasks)) [[unlikely]] {
        e.emit(event::long_run, pack<event::long_run>(task, run_ms));
    }
}

}  // namespace weft::trace
