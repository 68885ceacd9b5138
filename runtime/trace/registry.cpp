// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "trace/registry.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <new>

#include "trace/chunk_encoding.hpp"

namespace weft::detail {

namespace {

constexpr std::size_t max_pending_names = std::size_t{1} << 20;
static_assert(max_pending_names + 2 * trace::max_varint_bytes <= trace::max_payload_bytes);

}  // namespace

void trace_registry::attach(trace::emitter& e, trace::emitter_kind kind, unsigned index,
                            std::string_view name) {
    auto owner = std::make_unique<ring_owner>();
    owner->emitter = &e;
    owner->kind = kind;
    owner->index = index;
    owner->thread = static_cast<std::uint32_t>(::syscall(SYS_gettid));
    name.copy(owner->name, sizeof owner->name - 1);

    const std::lock_guard guard(mutex_);
    spare_.reserve(owners_.size() + spare_.size() + 1);  // so that detach need not allocate
    owners_.push_back(std::move(owner));
    owners_.back()->number = next_number_++;
    e.set_mask(clock_bit_);
    if (mask_ != 0) start_locked(*owners_.back());
}

void trace_registry::detach(trace::emitter& e) noexcept {
    const std::lock_guard guard(mutex_);
    for (const auto& owner : owners_) {
        if (owner->emitter != &e) continue;
        e.set_mask(0);
        e.bind({});
        owner->emitter = nullptr;
        if (!reading_ || owner->ring.words == nullptr) remove_locked(owner.get());
        return;
    }
}

std::error_code trace_registry::begin(std::uint32_t mask, std::uint64_t ring_capacity,
                                      bool monotonic_ticks) {
    const std::lock_guard guard(mutex_);
    const bool fresh = !area_.exists();
    if (std::error_code error = area_.create(monotonic_ticks)) return error;
    if (fresh) static_cast<void>(area_.add_string(interner_.definitions()));
    ring_capacity_ = ring_capacity;
    clock_bit_ = monotonic_ticks ? trace::bits::clock_monotonic : 0;
    mask_ = mask | clock_bit_;
    locations_taken_ = 0;
    unringed_ = 0;
    names_.clear();
    reading_ = true;
    for (const auto& owner : owners_) start_locked(*owner);
    return {};
}

void trace_registry::start_locked(ring_owner& owner) noexcept {
    owner.announced = false;
    if (owner.ring.words == nullptr && !bind_locked(owner)) {
        ++unringed_;
        return;
    }
    owner.reader = trace_ring_reader<real_environment>(owner.ring);
    owner.reader.skip_to_end();
    owner.emitter->set_mask(mask_);
}

bool trace_registry::bind_locked(ring_owner& owner) noexcept {
    if (!spare_.empty()) {
        owner.ring = spare_.back().ring;
        owner.line = spare_.back().line;
        spare_.pop_back();
    } else {
        auto ring = area_.add_ring(ring_capacity_, owner.line);
        if (!ring) return false;
        owner.ring = *ring;
    }
    area_.describe_ring(owner.line, {owner.number, owner.index, owner.thread,
                                     static_cast<std::uint32_t>(owner.kind), owner.name});
    owner.emitter->bind(owner.ring);
    return true;
}

void trace_registry::free_ring_locked(ring_owner& owner) noexcept {
    if (owner.ring.words == nullptr) return;
    area_.clear_description(owner.line);
    spare_.push_back({owner.ring, owner.line});  // attach reserved the room
    owner.ring = {};
}

void trace_registry::remove_locked(const ring_owner* owner) noexcept {
    const auto place = std::find_if(owners_.begin(), owners_.end(),
                                    [&](const auto& each) { return each.get() == owner; });
    if (place == owners_.end()) return;
    free_ring_locked(**place);
    owners_.erase(place);
}

void trace_registry::end_writing() noexcept {
    const std::lock_guard guard(mutex_);
    mask_ = 0;
    for (const auto& owner : owners_) {
        if (owner->emitter != nullptr) owner->emitter->set_mask(clock_bit_);
    }
}

void trace_registry::end_reading() noexcept {
    const std::lock_guard guard(mutex_);
    reading_ = false;
    for (std::size_t i = owners_.size(); i-- > 0;) {
        if (owners_[i]->emitter == nullptr) remove_locked(owners_[i].get());
    }
}

void trace_registry::take(round_input& input) {
    input = {};
    const std::lock_guard guard(mutex_);
    if (!reading_) return;
    for (const auto& owner : owners_) {
        if (owner->ring.words == nullptr) continue;
        input.owners.push_back(owner.get());
        if (owner->emitter == nullptr) input.detached.push_back(owner.get());
        if (owner->announced) continue;
        append_varint(input.emitters, owner->number);
        input.emitters.push_back(static_cast<char>(owner->kind));
        append_varint(input.emitters, owner->index);
        append_varint(input.emitters, owner->thread);
        append_string(input.emitters, owner->name);
        owner->announced = true;
    }
    input.locations = interner_.definitions().substr(locations_taken_);
    locations_taken_ += input.locations.size();
    input.names.swap(names_);
}

void trace_registry::give_back(const std::vector<ring_owner*>& drained) noexcept {
    const std::lock_guard guard(mutex_);
    for (const ring_owner* owner : drained) remove_locked(owner);
}

std::uint32_t trace_registry::define(const interned_location& location) {
    const std::lock_guard guard(mutex_);
    const std::size_t before = interner_.definitions().size();
    bool is_new = false;
    const std::uint32_t id = interner_.define(location, is_new);
    if (is_new) {
        const std::string_view all = interner_.definitions();
        static_cast<void>(area_.add_string(all.substr(before)));
    }
    return id;
}

void trace_registry::name_task(trace::task_id task, std::string_view name) {
    const std::lock_guard guard(mutex_);
    if (mask_ == 0 || names_.size() + name.size() > max_pending_names) return;
    append_varint(names_, task);
    append_string(names_, name);
}

std::uint64_t trace_registry::unringed() noexcept {
    const std::lock_guard guard(mutex_);
    return unringed_;
}

void trace_registry::abandon() noexcept {
    mask_ = 0;
    reading_ = false;
    for (std::size_t i = owners_.size(); i-- > 0;) {
        ring_owner& owner = *owners_[i];
        owner.ring = {};
        if (owner.emitter == nullptr) {
            owners_.erase(owners_.begin() + static_cast<std::ptrdiff_t>(i));
            continue;
        }
        owner.emitter->set_mask(clock_bit_);
        owner.emitter->bind({});
    }
    spare_.clear();
    area_.forget_after_fork();
}

}  // namespace weft::detail
