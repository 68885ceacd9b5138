// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A set of tasks, each of which knows its place in it: adding and removing touch that task and the
// place, and none of the others. Grows by whole segments, which never move, and does not shrink:
// eight bytes for each task of the most that were ever in it at once. Not shared: whoever has it
// holds a lock (task_registry.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "weft/base/check.hpp"
#include "weft/task/task_state.hpp"

namespace weft::detail {

class task_slots {
public:
    /// Holds a task's address; or, odd, that of the next free slot.
    using slot = std::uintptr_t;
    struct segment {
        std::array<slot, 1023> slots;
        std::unique_ptr<segment> next;
    };

    task_slots() = default;
    task_slots(const task_slots&) = delete;
    task_slots& operator=(const task_slots&) = delete;
    ~task_slots() {
        while (first_ != nullptr) first_ = std::move(first_->next);  // not by recursion
    }

    /// False: there is no room, but perhaps after take_back_freed().
    [[nodiscard]] bool try_add(task_state& task) noexcept {
        if (free_ == nullptr) [[unlikely]]
            return false;
        task.registry_slot = free_;
        free_ = reinterpret_cast<slot*>(*free_ - 1);
        *task.registry_slot = reinterpret_cast<slot>(&task);
        ++size_;
        return true;
    }
    [[nodiscard]] bool take_back_freed() noexcept {
        if (free_ == nullptr) free_ = std::exchange(freed_elsewhere_, nullptr);
        return free_ != nullptr;
    }
    void grow(std::unique_ptr<segment> fresh) noexcept {
        for (slot& each : fresh->slots) {
            each = reinterpret_cast<slot>(free_) + 1;
            free_ = &each;
        }
        fresh->next = std::move(first_);
        first_ = std::move(fresh);
    }
    /// `here`: by the thread that adds. What others free it takes last: the lines are theirs.
    void remove(const task_state& task, bool here) noexcept {
        WEFT_DCHECK(*task.registry_slot == reinterpret_cast<slot>(&task), "removed twice");
        slot*& list = here ? free_ : freed_elsewhere_;
        *task.registry_slot = reinterpret_cast<slot>(list) + 1;
        list = task.registry_slot;
        --size_;
    }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    template <class Visit>
    void for_each(Visit visit) const {
        std::size_t left = size_;
        for (const segment* part = first_.get(); left != 0; part = part->next.get()) {
            for (const slot each : part->slots) {
                if ((each & 1) != 0) continue;
                visit(*reinterpret_cast<task_state*>(each));
                --left;
            }
        }
    }

private:
    std::unique_ptr<segment> first_;
    slot* free_ = nullptr;
    slot* freed_elsewhere_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace weft::detail
