// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "sched/task_registry.hpp"

namespace weft::detail {

inline bool task_registry::shard::link(task_state& task) noexcept {
    if (closed) return false;
    task.registry_next = first;
    task.registry_previous = nullptr;
    if (first != nullptr) first->registry_previous = &task;
    first = &task;
    ++size;
    return true;
}

inline void task_registry::shard::unlink(task_state& task) noexcept {
    if (task.registry_previous != nullptr)
        task.registry_previous->registry_next = task.registry_next;
    else
        first = task.registry_next;
    if (task.registry_next != nullptr)
        task.registry_next->registry_previous = task.registry_previous;
    --size;
}

bool task_registry::add(task_state& task, std::size_t caller) noexcept {
    shard& home = shards_[caller];
    task.registry_shard = static_cast<std::uint16_t>(caller);
    if (caller != nobody()) [[likely]] {
        owner_guard guard{home.mutex};
        return home.link(task);
    }
    std::lock_guard guard{home.mutex};
    return home.link(task);
}

void task_registry::remove(task_state& task, std::size_t caller) noexcept {
    shard& home = shards_[task.registry_shard];
    if (caller == task.registry_shard && caller != nobody()) [[likely]] {
        owner_guard guard{home.mutex};
        return home.unlink(task);
    }
    std::lock_guard guard{home.mutex};
    home.unlink(task);
}

bool task_registry::remove_if_unshared(task_state& task, std::size_t caller,
                                       std::uint32_t holders) noexcept {
    if (task.registry_shard != caller) return false;
    shard& home = shards_[caller];
    owner_guard guard{home.mutex};
    if (!task.is_unshared(holders)) return false;
    home.unlink(task);
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
            std::size_t needed = found.size() + shards_[i].size;
            if (found.capacity() < needed) {
                guard.unlock();
                make_room(found, needed + needed / 4 + 16);
                continue;
            }
            for (task_state* t = shards_[i].first; t != nullptr; t = t->registry_next) {
                if (t->is_done()) continue;
                t->retain();
                found.push_back(t);
            }
            break;
        }
    }
    return found;
}

std::size_t task_registry::size() noexcept {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < count_; ++i) {
        std::lock_guard guard{shards_[i].mutex};
        sum += shards_[i].size;
    }
    return sum;
}

bool task_registry::try_close() noexcept {
    // All locks at once: a task that is alive could otherwise start another one behind us.
    for (std::size_t i = 0; i < count_; ++i) shards_[i].mutex.lock();
    bool empty = true;
    for (std::size_t i = 0; i < count_; ++i) empty = empty && shards_[i].size == 0;
    for (std::size_t i = 0; i < count_; ++i) {
        shards_[i].closed = empty || shards_[i].closed;
        shards_[i].mutex.unlock();
    }
    return empty;
}

}  // namespace weft::detail
