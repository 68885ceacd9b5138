// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/never_awaited.hpp"

#include <exception>
#include <memory>
#include <new>
#include <string>

#include "ports/live_runtimes.hpp"
#include "task/describe.hpp"
#include "task/failure_sink.hpp"
#include "weft/task/create_task.hpp"
#include "weft/task/promise.hpp"

namespace weft::detail {

namespace {

constinit thread_local unsigned quiet_drops = 0;

/// That of the runtime that runs on this thread. A forked child's copy of one is no such: it may
/// have a lock that nobody will leave. Throws std::bad_alloc.
std::shared_ptr<failure_sink> sink_here() {
    if (worker_port* const here = this_worker()) {
        const live_runtime alive{&here->runtime()};
        if (alive.get() != nullptr) return alive.get()->failures();
    }
    return std::make_shared<failure_sink>();  // has no handler: prints
}

void report(const promise_base& promise) {
    const std::shared_ptr<failure_sink> sink = sink_here();
    failure what{failure::kind::never_awaited, {}, nullptr, {}};
    what.message = place_of(promise.location()) + " was never awaited";
    if (const worker_port* const here = this_worker()) {
        const runnable* const self = here->current.get();
        if (self != nullptr && self->owner != nullptr && !self->owner->hidden) {
            what.task_name = self->owner->name();
            what.message += ": " + what.task_name + " has dropped it";
        }
    }
    sink->report(what);
}

}  // namespace

void drop_never_awaited(std::coroutine_handle<> frame, const promise_base& promise) noexcept {
    if (quiet_drops == 0 && std::uncaught_exceptions() == 0) {
        const quiet_drop by_the_handler;  // which would be called again, and drop again
        try {
            report(promise);
        } catch (const std::bad_alloc&) {  // no memory left to say so
        }
    }
    frame.destroy();
}

quiet_drop::quiet_drop() noexcept { ++quiet_drops; }
quiet_drop::~quiet_drop() { --quiet_drops; }

void destroy_quietly(std::coroutine_handle<> frame) noexcept {
    const quiet_drop with_its_arguments;
    frame.destroy();
}

}  // namespace weft::detail
