// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The join count under the model checker, with the deque that it reads its children from: a home
// that takes back what nobody has stolen, thieves, a join inside of a join's child, and a child
// that suspends and ends elsewhere. Whoever learns that no child is left goes on with the parent:
// exactly one, and it finds every result.
#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/cases.hpp"
#include "support/catch.hpp"
#include "weft/queue/work_deque.hpp"
#include "weft/task/join_count.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;
using weft::detail::join_count;
using weft::detail::work_deque;

class small_join;

struct child {
    small_join* join;
    env::cell<int> result{0};
};

using deque = work_deque<env, child>;

/// A join whose parent may be resumed by others only once it is published.
class small_join {
public:
    static constexpr std::size_t most = 3;

    small_join(scenario& s, const char* name, std::size_t size, small_join* outer)
        : outer_(outer), size_(size) {
        s.name(count_, name);
        s.name(published_, name);
    }

    /// Home: offers all children but the first, which it is inside of from now on.
    void begin(deque::owner_handle& mine) {
        count_.begin(mine.height());
        for (std::size_t i = size_; i-- > 1;) mine.push(&children[i]);
    }
    /// Home: the child that it is inside of has ended. It runs the others until none is left or it
    /// must share. True if the parent, which is inside a child of the outer join, goes on here.
    [[nodiscard]] bool end_here(child& first, deque::owner_handle& mine) {
        child* ended = &first;
        while (true) {
            ended->result.store(1);
            const std::int64_t height = mine.height();
            if (count_.has_taken_all(height)) break;
            if (mine.pop_above_others(height, ended)) continue;
            if (count_.open(height) == 0) {
                if (outer_ != nullptr) count_.pass_claims_to(outer_->count_);
                break;
            }
            ended = mine.pop();
            if (ended == nullptr) {
                share_all(mine, 0);
                return false;
            }
            if (mine.height() == height) count_.note_claim(outer_ == nullptr);
        }
        resume();
        return true;
    }
    /// Home: publishes this join and those around it. `running`: children of it that have begun
    /// and not ended.
    void share_all(deque::owner_handle& mine, int running) {
        const std::int64_t left = count_.open(mine.height()) + running;
        published_.store(1, std::memory_order_release);
        if (outer_ != nullptr) outer_->published_.store(1, std::memory_order_release);
        if (outer_ != nullptr)
            require(!outer_->count_.share(outer_->count_.open(count_) + 1), "a child is left");
        if (count_.share(left)) end_elsewhere();
    }
    /// Others, and the home once it has shared: this child has ended.
    static void end(child& ended) {
        ended.result.store(1);
        small_join& join = *ended.join;
        if (!join.count_.count_shared()) return;
        require(join.published_.load(std::memory_order_acquire) == 1, "the parent is published");
        join.end_elsewhere();
    }
    void check() { require(resumptions_.load() == 1, "the parent goes on once"); }

    std::array<child, most> children{child{this}, child{this}, child{this}};

private:
    void resume() {
        for (std::size_t i = 0; i < size_; ++i)
            require(children[i].result.load() == 1, "every child has ended");
        resumptions_.store(resumptions_.load() + 1);
    }
    /// The parent goes on: an outer join's first child, which then ends.
    void end_elsewhere() {
        resume();
        if (outer_ != nullptr) end(outer_->children[0]);
    }

    small_join* outer_;
    std::size_t size_;
    join_count<env> count_;
    env::cell<int> resumptions_{0};
    env::atomic<int> published_{0};  // stands for the parent's lifecycle word
};

void steal_once(deque& from) {
    if (const auto got = from.thief().steal(); got.item != nullptr) small_join::end(*got.item);
}

const registered_case stolen({
    .structure = "join",
    .name = "the home takes two children back while a thief steals twice",
    .kills = {mutation::join_forgets_its_own, mutation::join_forgets_a_claim},
    .limits = {.preemptions = 3, .stale_loads = 2},
    .body =
        [](scenario& s) {
            deque forks(4);
            deque::owner_handle mine = forks.owner();
            small_join join(s, "join", 3, nullptr);
            s.thread("home", [&] {
                join.begin(mine);
                static_cast<void>(join.end_here(join.children[0], mine));
            });
            s.thread("thief", [&] {
                steal_once(forks);
                steal_once(forks);
            });
            s.finally([&] { join.check(); });
        },
});

const registered_case nested({
    .structure = "join",
    .name = "a join inside of a join's first child, while a thief steals twice",
    .kills = {mutation::join_keeps_its_claims},
    .limits = {.preemptions = 3, .stale_loads = 2},
    .body =
        [](scenario& s) {
            deque forks(4);
            deque::owner_handle mine = forks.owner();
            small_join outer(s, "outer", 2, nullptr);
            small_join inner(s, "inner", 2, &outer);
            s.thread("home", [&] {
                outer.begin(mine);
                inner.begin(mine);
                if (inner.end_here(inner.children[0], mine))
                    static_cast<void>(outer.end_here(outer.children[0], mine));
            });
            s.thread("thief", [&] {
                steal_once(forks);
                steal_once(forks);
            });
            s.finally([&] {
                inner.check();
                outer.check();
            });
        },
});

const registered_case suspended({
    .structure = "join",
    .name = "the first child suspends and ends elsewhere, the second at home or at a thief",
    .kills = {mutation::join_forgets_its_own},
    .limits = {.preemptions = 3, .stale_loads = 2},
    .body =
        [](scenario& s) {
            deque forks(4);
            deque::owner_handle mine = forks.owner();
            small_join join(s, "join", 2, nullptr);
            env::atomic<std::uint32_t> is_suspended{0};
            s.name(is_suspended, "suspended");
            s.thread("home", [&] {
                join.begin(mine);
                join.share_all(mine, 1);
                is_suspended.store(1, std::memory_order_release);
                env::futex_wake(is_suspended, 1);
                if (child* const next = mine.pop()) small_join::end(*next);
            });
            s.thread("thief", [&] { steal_once(forks); });
            s.thread("elsewhere", [&] {
                while (is_suspended.load(std::memory_order_acquire) == 0) {
                    env::futex_wait(is_suspended, 0, std::chrono::steady_clock::time_point::max());
                }
                small_join::end(join.children[0]);
            });
            s.finally([&] { join.check(); });
        },
});

}  // namespace

TEST_CASE("a join's parent goes on once, with every result", "[join]") { check_cases("join"); }

}  // namespace weft::model
