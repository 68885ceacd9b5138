// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The task-local values of a task: an immutable map that its holders share. A task has one pointer
// to it, null while nothing is set. To create a task is to count one holder more, and to set a
// value is to go on with another map; so neither sees what the other sets from then on.
//
// Protocol: context count                 checked by: tests/stress/task_local_stress_test.cpp, TSan
// Roles      holders (any thread): tasks, tokens, done-callbacks, contexts, the runtime for its
//            main tasks
// Words      references: holders
// Edges      X1 drop release → last drop acquire: every use of the map is before its end
// Shutdown   the values go with the last holder, on its thread
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "weft/model/environment.hpp"

namespace weft {

/// Whether a new task begins with the value that the variable has in the task that creates it.
enum class inheritance : std::uint8_t { copied, none };

namespace detail {

class task_context;
class task_state;

/// Owning pointer to a shared map; null: no value is set.
class context_ref {
public:
    context_ref() noexcept = default;
    context_ref(const context_ref& other) noexcept;
    context_ref(context_ref&& other) noexcept : map_(std::exchange(other.map_, nullptr)) {}
    context_ref& operator=(context_ref other) noexcept {
        std::swap(map_, other.map_);
        return *this;
    }
    ~context_ref() {
        if (map_ != nullptr) drop();
    }

    /// Takes over one reference.
    [[nodiscard]] static context_ref adopt(const task_context* map) noexcept {
        context_ref ref;
        ref.map_ = map;
        return ref;
    }
    /// Counts one more.
    [[nodiscard]] static context_ref share(const task_context* map) noexcept;
    /// Gives the reference away.
    [[nodiscard]] const task_context* release() noexcept { return std::exchange(map_, nullptr); }
    [[nodiscard]] const task_context* get() const noexcept { return map_; }

private:
    void drop() noexcept;

    const task_context* map_ = nullptr;
};

/// The map. What tasks do not inherit lies in a map of its own before the one that they do, so that
/// a new task always shares what is there.
class task_context {
public:
    struct value {
        std::uint64_t variable;
        std::shared_ptr<const void> held;
    };

    /// Null: not set.
    [[nodiscard]] std::shared_ptr<const void> find(std::uint64_t variable) const noexcept;
    [[nodiscard]] const void* look_up(std::uint64_t variable) const noexcept;

    /// `before`, which may be null, with one value changed, or, if `to` is null, without it. Throws
    /// std::bad_alloc.
    [[nodiscard]] static context_ref changed(const task_context* before, inheritance how, value to);
    /// What a task gets that is created where these values are set; of null, null.
    [[nodiscard]] static context_ref passed_on(const task_context* map) noexcept;

    /// `map` for a task that enters the context of that number: a value of its own, which no task
    /// inherits, says so. Throws std::bad_alloc.
    [[nodiscard]] static context_ref entered(const task_context* map,
                                             std::shared_ptr<const std::uint64_t> number);
    /// The context that the task is in whose values these are; 0: none.
    [[nodiscard]] std::uint64_t context_number() const noexcept;

private:
    friend context_ref;
    using values = std::vector<value>;                // ordered by variable
    static constexpr std::uint64_t context_mark = 0;  // no variable's number

    explicit task_context(values set) noexcept : values_(std::move(set)) {}
    task_context(values set, context_ref behind) noexcept
        : values_(std::move(set)), is_private_(true), inherited_(std::move(behind)) {}
    [[nodiscard]] static context_ref make(values set);
    [[nodiscard]] const value* entry(std::uint64_t variable) const noexcept;

    const values values_;
    const bool is_private_ = false;  // whether it is one of those that tasks do not inherit
    const context_ref inherited_;    // the other map then
    mutable real_environment::atomic<std::uint32_t> references_{1};
};

/// What a task gets that is created here, or a callback that is registered here: the values of the
/// task that runs on this thread, none outside of tasks.
[[nodiscard]] context_ref context_to_pass_on() noexcept;
/// The task that runs on this thread, if it may set values; null outside of tasks, and in a child
/// of a join, whose siblings may run now.
[[nodiscard]] task_state* settable_task() noexcept;
/// Whose values `task`, which runs on this thread, sets: its own, then its id, or those of the
/// context that it is in, then that one's number. No two are equal.
[[nodiscard]] std::uint64_t place_of(const task_state& task) noexcept;

}  // namespace detail

}  // namespace weft
