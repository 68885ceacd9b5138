// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/future_record.hpp"

#include <memory>
#include <thread>

#include "ports/live_runtimes.hpp"
#include "weft/error.hpp"

namespace weft::detail {

void throw_already_set() {
    throw invalid_state_error("this future has an outcome already; set it once, or try_set it");
}

void throw_no_exception() {
    throw std::invalid_argument("weft: an error is an exception_ptr that is not null");
}

life::cancel_outcome promised_result::unlink() noexcept {
    if (!settling.claim()) return life::cancel_outcome::lost;
    unlinked_ = true;
    return life::cancel_outcome::unlinked;
}

trace::suspend_reason promised_result::wait_reason() const noexcept {
    return trace::suspend_reason::external;
}

void task_state::wait_for_promise(promised_result& result) noexcept {
    operation = &result;
    static_cast<void>(lifecycle.try_suspend());  // nobody knows it yet
}

void task_state::settle_or_wait(promised_result& result) noexcept {
    result.settling.publish(
        lifecycle, [this] { ops->settle(*this); }, [] { std::this_thread::yield(); });
}

bool task_state::end_as_future(promised_result& result) noexcept {
    if (std::exception_ptr error = std::move(result.error)) {
        const bool by_cancellation = is_cancellation(error);
        keep_outcome(std::move(error),
                     by_cancellation ? outcome_kind::cancelled : outcome_kind::error);
        if (!by_cancellation) {
            const live_runtime alive{runtime_};
            if (alive.get() != nullptr) keep_sink(*alive.get());
        }
        if (lifecycle.finish(true)) return true;
        std::destroy_at(&ended_with);
    } else if (result.has_value) {
        outcome_ = outcome_kind::value;
        if (lifecycle.finish(true)) return true;
    }
    result.came_late = true;
    keep_outcome(cancellation(), outcome_kind::cancelled);
    static_cast<void>(lifecycle.finish(false));
    return false;
}

}  // namespace weft::detail
