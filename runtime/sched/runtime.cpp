// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/runtime.hpp"

#include <csignal>
#include <memory>
#include <optional>
#include <utility>

#include "sched/completion_latch.hpp"
#include "sched/runtime_core.hpp"
#include "sched/signal_watch.hpp"
#include "weft/error.hpp"

namespace weft {

namespace detail {

/// What a thread that blocks for a main task waits on.
class main_wait {
public:
    explicit main_wait(std::optional<bool> handle_signals) {
        if (handle_signals ? *handle_signals : is_main_thread())
            signals.emplace(*latch, handle_signals.has_value());
    }
    std::shared_ptr<completion_latch> latch = std::make_shared<completion_latch>();
    std::optional<signal_watch> signals;
};

}  // namespace detail

namespace {

void refuse_on_a_worker() {
    detail::worker_port* here = detail::this_worker();
    if (here != nullptr && !static_cast<detail::runtime_core&>(here->runtime()).is_copy()) {
        throw usage_error(
            "run and block_on would block a worker of a running runtime: await the coroutine "
            "instead");
    }
}

/// Unlike any_task::cancel it is no look at the outcome: a failure is reported all the same.
bool cancel_by_signal(detail::task_state& main, int number) {
    auto reason = detail::make_reason(number == SIGINT ? "SIGINT" : "SIGTERM",
                                      std::source_location::current());
    return !main.is_done() && detail::request_cancel(main, std::move(reason));
}

}  // namespace

runtime::runtime(runtime_options options) {
    refuse_on_a_worker();
    core_ = std::make_unique<detail::runtime_core>(options);
    core_->start();
}

runtime::runtime(detail::runtime_access /*by*/, std::unique_ptr<detail::runtime_core> core)
    : core_(std::move(core)) {
    core_->start();
}

runtime::~runtime() {
    if (core_->is_copy()) {
        static_cast<void>(core_.release());  // what its threads held is not there to be freed
        return;
    }
    WEFT_CHECK(detail::this_worker() == nullptr || &detail::this_worker()->runtime() != core_.get(),
               "a runtime was destroyed by one of its own tasks; keep it outside its tasks");
    core_->close();
    if (core_->is_abandoned()) static_cast<void>(core_.release());  // stuck tasks still use it
}

void runtime::close() { core_->close(); }

void runtime::set_failure_handler(failure_handler handler) {
    core_->failures()->set_handler(std::move(handler));
}

void runtime::set_slow_run_handler(slow_run_handler handler) {
    core_->refuse_copy();
    core_->watch.set_handler(std::move(handler));
}

void runtime::set_dump_handler(task_dump_handler handler) {
    core_->refuse_copy();
    core_->dumper.set_handler(std::move(handler));
}

unsigned runtime::worker_count() const noexcept { return core_->worker_count(); }

runtime_statistics runtime::statistics() const { return core_->statistics(); }

detail::runtime_port& runtime::port() const { return *core_; }

detail::worker_port& runtime::any_worker() const { return core_->any_worker(); }

void runtime::inject(const any_task& ready) { core_->inject(*detail::task_access::state(ready)); }

std::shared_ptr<detail::main_wait> runtime::prepare_to_block() const {
    core_->refuse_copy();
    refuse_on_a_worker();
    return std::make_shared<detail::main_wait>(core_->options().handle_signals);
}

void runtime::begin_main(const any_task& main) {
    core_->begin_main(*detail::task_access::state(main));
    inject(main);
}

void runtime::block_until_done(detail::main_wait& wait, const any_task& main) {
    detail::completion_latch& latch = *wait.latch;
    detail::task_state& task = *detail::task_access::state(main);
    latch.watch(task);
    int delivered = 0;
    int too_late = 0;
    for (;;) {
        std::uint32_t seen = latch.events();
        if (latch.is_open()) break;
        if (int number = wait.signals ? wait.signals->take() : 0) {
            (cancel_by_signal(task, number) ? delivered : too_late) = number;
            continue;
        }
        latch.wait(seen, detail::time_point::max());
    }
    core_->end_main(task);
    if (int number = wait.signals ? wait.signals->stop() : 0) too_late = number;
    if (too_late != 0) detail::throw_interrupted(too_late);
    if (delivered != 0 && main.cancelled() && main.uncancel() == 0)
        detail::throw_interrupted(delivered);
}

}  // namespace weft
