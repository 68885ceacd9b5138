// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/cancel_reason.hpp"

#include <new>

#include "weft/task/runnable.hpp"
#include "weft/task/task_state.hpp"

namespace weft::detail {

void reason_ref::drop() noexcept {
    if (record_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete record_;  // C1
    record_ = nullptr;
}

reason_ref make_reason(std::string_view text, std::source_location where,
                       std::uint64_t requester) noexcept {
    try {
        return reason_ref::adopt(new cancel_reason{std::string{text}, where, requester});
    } catch (const std::bad_alloc&) {
        return {};
    }
}

reason_ref make_reason(std::string_view text, std::source_location where) noexcept {
    const runnable* asking = current_runnable();
    const task_state* task = asking == nullptr ? nullptr : asking->owner;
    return make_reason(text, where, task == nullptr || task->hidden ? 0 : task->id());
}

}  // namespace weft::detail
