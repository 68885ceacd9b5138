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

reason_ref make_reason(std::string_view text, std::source_location where) noexcept {
    try {
        auto* record = new cancel_reason{std::string{text}, where};
        runnable* asking = current_runnable();
        if (asking != nullptr && asking->owner != nullptr) record->requester = asking->owner->id();
        return reason_ref::adopt(record);
    } catch (const std::bad_alloc&) {
        return {};
    }
}

}  // namespace weft::detail
