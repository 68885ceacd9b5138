// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The children of a task group in lists. Guarded by the group's lock: group_state.hpp.
#pragma once

namespace weft::detail {

class group_core;
class group_list;
class start_wait;

/// A child of a group as the group's lists have it.
class group_node {
public:
    group_node(const group_node&) = delete;
    group_node& operator=(const group_node&) = delete;

protected:
    group_node() noexcept = default;
    ~group_node() = default;

private:
    template <class, class>
    friend class group_state;
    friend group_core;
    friend group_list;
    friend class group_member;
    friend start_wait;

    group_list* list_ = nullptr;  // that it is in
    group_node* before_ = nullptr;
    group_node* after_ = nullptr;
    bool is_queued_ = false;   // it waits for its turn
    bool has_turn_ = false;    // it counts for the limit
    bool keeps_task_ = false;  // until the group has ended
};

/// Children in the order in which they came.
class group_list {
public:
    void push_back(group_node& n) noexcept;
    void remove(group_node& n) noexcept;
    [[nodiscard]] group_node* front() const noexcept { return first_; }

private:
    group_node* first_ = nullptr;
    group_node* last_ = nullptr;
};

}  // namespace weft::detail
