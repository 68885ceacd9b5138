// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "sched/task_registry.hpp"

namespace weft::detail {

bool task_registry::add(task_state& task, std::size_t caller) {
    task.registry_shard = static_cast<std::uint16_t>(caller);
    if (caller != nobody()) [[likely]] {
        shard& home = shards_[caller];
        owner_guard guard{home.mutex};
        if (!home.closed && home.tasks.try_add(task)) [[likely]]
            return true;
    }
    return add_slowly(task, caller);
}

/// Memory is had outside of the lock: nobody waits for it, and it may come from who takes the lock.
[[gnu::noinline]] bool task_registry::add_slowly(task_state& task, std::size_t caller) {
    std::unique_ptr<task_slots::segment> fresh;
    for (;;) {
        if (caller != nobody()) {
            owner_guard guard{shards_[caller].mutex};
            if (std::optional<bool> done = shards_[caller].add(task, fresh)) return *done;
        } else {
            std::lock_guard guard{shards_[caller].mutex};
            if (std::optional<bool> done = shards_[caller].add(task, fresh)) return *done;
        }
        fresh = std::make_unique_for_overwrite<task_slots::segment>();
    }
}

/// Whether it was added: no, if the shard is closed. Nothing: there is no room.
std::optional<bool> task_registry::shard::add(
    task_state& task, std::unique_ptr<task_slots::segment>& fresh) noexcept {
    if (closed) return false;
    if (fresh != nullptr) tasks.grow(std::move(fresh));
    if (tasks.try_add(task) || (tasks.take_back_freed() && tasks.try_add(task))) return true;
    return std::nullopt;
}

void task_registry::remove(task_state& task, std::size_t caller) noexcept {
    shard& home = shards_[task.registry_shard];
    if (caller == task.registry_shard && caller != nobody()) [[likely]] {
        owner_guard guard{home.mutex};
        return home.tasks.remove(task, true);
    }
    std::lock_guard guard{home.mutex};
    home.tasks.remove(task, false);
}

bool task_registry::remove_if_unshared(task_state& task, std::size_t caller,
                                       std::uint32_t holders) noexcept {
    if (task.registry_shard != caller) return false;
    shard& home = shards_[caller];
    owner_guard guard{home.mutex};
    if (!task.is_unshared(holders)) return false;
    home.tasks.remove(task, true);
    return true;
}

namespace {

void make_room(std::vector<task_state*>& found, std::size_t needed) {
    try {
        found.reserve(needed);
    } catch (...) {
        for (task_state* t : found) t->drop();
        throw;
    }
}

}  // namespace

std::vector<task_state*> task_registry::snapshot() {
    std::vector<task_state*> found;
    for (std::size_t i = 0; i < count_; ++i) {
        for (;;) {  // the room is made outside the lock: nothing allocates inside
            std::unique_lock guard{shards_[i].mutex};
            std::size_t needed = found.size() + shards_[i].tasks.size();
            if (found.capacity() < needed) {
                guard.unlock();
                make_room(found, needed + needed / 4 + 16);
                continue;
            }
            shards_[i].tasks.for_each([&found](task_state& task) {
                if (task.is_done()) return;
                task.retain();
                found.push_back(&task);
            });
            break;
        }
    }
    return found;
}

std::size_t task_registry::size() noexcept {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < count_; ++i) {
        std::lock_guard guard{shards_[i].mutex};
        sum += shards_[i].tasks.size();
    }
    return sum;
}

bool task_registry::try_close() noexcept {
    // All locks at once: a task that is alive could otherwise start another one behind us.
    for (std::size_t i = 0; i < count_; ++i) shards_[i].mutex.lock();
    bool empty = true;
    for (std::size_t i = 0; i < count_; ++i) empty = empty && shards_[i].tasks.size() == 0;
    for (std::size_t i = 0; i < count_; ++i) {
        shards_[i].closed = empty || shards_[i].closed;
        shards_[i].mutex.unlock();
    }
    return empty;
}

}  // namespace weft::detail
