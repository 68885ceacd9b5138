// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Reads the coroutines of a task that waits, and what they wait for. While it reads, the task
// cannot go on (lifecycle_look.hpp): so it notes what it sees in memory that is there already, and
// takes no reference to what it comes upon. A task that has no handle but its awaiter's counts on
// that (A3 of task_state.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <source_location>

#include "weft/task/runnable.hpp"

namespace weft::detail {

/// What one look saw. Large: not for a coroutine's frame.
class look_notes final : private wait_listener {
public:
    enum class kind : std::uint8_t {
        coroutine,             ///< the innermost of a line of execution first
        waits,                 ///< the end of its coroutines: why it waits
        all_of,                ///< of what was named since
        one_of,                ///< the same
        all_unless_one_fails,  ///< the same
        task,                  ///< it waits for that, or for what that has
        future,                ///< the same: where its promise was made
        child,                 ///< a line of execution begins: a child of the last one
        end_of_child,          ///< the one before goes on
    };
    struct note {
        kind what;
        trace::suspend_reason why;
        // Of all_of and its like:
        bool is_open;    // what is not noted may end the wait as well
        bool has_limit;  // a timer ends it
        union {
            std::source_location place;
            std::uint64_t task;
        };
        note() noexcept {}
    };
    static constexpr std::size_t room = 512;

    /// False: it does not wait, or somebody else has to do with it all the time. The caller keeps
    /// `task` alive.
    [[nodiscard]] bool take(runnable& task) noexcept;

    [[nodiscard]] const note* begin() const noexcept { return notes_.data(); }
    [[nodiscard]] const note* end() const noexcept { return notes_.data() + count_; }
    [[nodiscard]] bool is_cut() const noexcept { return is_cut_; }
    /// Two looks with the same stamp: it has waited all the time between them, and the same tasks
    /// had what it waits for at both.
    [[nodiscard]] std::uint64_t stamp() const noexcept { return stamp_; }

private:
    [[nodiscard]] bool look_at(runnable& waiting) noexcept;
    void mix(std::uint64_t value) noexcept {
        stamp_ = (stamp_ ^ value) * 0x100000001b3U + 1;  // in order, as FNV-1a does
    }
    void note_coroutines(const runnable& waiting) noexcept;
    void note_needs(const operation& op, note& needs) noexcept;
    note& add(kind what) noexcept;
    [[nodiscard]] note* try_add(kind what) noexcept;
    bool hear_of_task(const task_state& awaited) noexcept override;
    bool hear_of_child(runnable& child) noexcept override;
    void hear_of_holder(std::uint64_t task_id) noexcept override;
    void hear_of_limit() noexcept override;
    bool stop_hearing() noexcept;

    std::array<note, room> notes_;
    std::size_t count_ = 0;
    std::size_t heard_ = 0;  // runnables that were named, those of which nothing is noted as well
    unsigned depth_ = 0;     // of children in children
    note* needs_ = nullptr;  // of the line that it looks at
    bool has_skipped_ = false;  // something that this line named is not noted
    std::uint64_t stamp_ = 0;
    bool is_cut_ = false;
};

}  // namespace weft::detail
