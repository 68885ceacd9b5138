// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/task_context.hpp"

#include <algorithm>

#include "weft/task/masked_run.hpp"
#include "weft/task/task_state.hpp"

namespace weft::detail {

context_ref::context_ref(const context_ref& other) noexcept : context_ref(share(other.map_)) {}

context_ref context_ref::share(const task_context* map) noexcept {
    if (map != nullptr) {
        map->references_.fetch_add(1,
                                   std::memory_order_relaxed);  // X1: needs a live holder only
    }
    return adopt(map);
}

void context_ref::drop() noexcept {
    if (map_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete map_;  // X1
}

const task_context::value* task_context::entry(std::uint64_t variable) const noexcept {
    const auto found = std::ranges::lower_bound(values_, variable, {}, &value::variable);
    if (found != values_.end() && found->variable == variable) return &*found;
    return is_private_ && inherited_.get() != nullptr ? inherited_.get()->entry(variable) : nullptr;
}

std::shared_ptr<const void> task_context::find(std::uint64_t variable) const noexcept {
    const value* const found = entry(variable);
    return found != nullptr ? found->held : nullptr;
}

const void* task_context::look_up(std::uint64_t variable) const noexcept {
    const value* const found = entry(variable);
    return found != nullptr ? found->held.get() : nullptr;
}

context_ref task_context::make(values set) {
    return set.empty() ? context_ref() : context_ref::adopt(new task_context(std::move(set)));
}

context_ref task_context::changed(const task_context* before, inheritance how, value to) {
    const bool has_two = before != nullptr && before->is_private_;
    const task_context* const behind = has_two ? before->inherited_.get() : before;
    values own = has_two ? before->values_ : values();
    values inherited = how == inheritance::copied && behind != nullptr ? behind->values_ : values();

    values& set = how == inheritance::copied ? inherited : own;
    const auto place = std::ranges::lower_bound(set, to.variable, {}, &value::variable);
    const bool is_there = place != set.end() && place->variable == to.variable;
    if (to.held == nullptr) {
        if (is_there) set.erase(place);
    } else if (is_there) {
        *place = std::move(to);
    } else {
        set.insert(place, std::move(to));
    }

    context_ref rest =
        how == inheritance::copied ? make(std::move(inherited)) : context_ref::share(behind);
    if (own.empty()) return rest;
    return context_ref::adopt(new task_context(std::move(own), std::move(rest)));
}

context_ref task_context::passed_on(const task_context* map) noexcept {
    const bool has_two = map != nullptr && map->is_private_;
    return context_ref::share(has_two ? map->inherited_.get() : map);
}

context_ref task_context::entered(const task_context* map,
                                  std::shared_ptr<const std::uint64_t> number) {
    return changed(map, inheritance::none, {context_mark, std::move(number)});
}

std::uint64_t task_context::context_number() const noexcept {
    if (!is_private_ || values_.front().variable != context_mark) return 0;
    return *static_cast<const std::uint64_t*>(values_.front().held.get());
}

task_state* settable_task() noexcept {
    const worker_port* const here = this_worker();
    const runnable* self = here == nullptr ? nullptr : here->current.get();
    // A shielded clean-up runs in the place of whoever awaits it.
    while (self != nullptr && self->ops == &masked_runnable::kind)
        self = static_cast<const masked_runnable*>(self)->awaiting;
    if (self == nullptr || self != self->owner || here->local_join != nullptr) return nullptr;
    return self->owner;
}

std::uint64_t place_of(const task_state& task) noexcept {
    const task_context* const map = task.context();
    const std::uint64_t number = map != nullptr ? map->context_number() : 0;
    return number != 0 ? number : task.id();
}

context_ref context_to_pass_on() noexcept {
    const runnable* self = current_runnable();
    if (self == nullptr || !self->owner->has_extras()) return {};
    return task_context::passed_on(self->owner->context());
}

}  // namespace weft::detail
