// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Trees of when_all: runtime/task/join_scope.cpp with prices. A child begins in its parent's place
// and is counted in a plain field; only a join that lost a child to a thief is shared and counted
// on a line that moves between workers.
#include <algorithm>
#include <cmath>
#include <utility>

#include "workload.hpp"

namespace scaling {

namespace {

class fork_join : public workload {
public:
    fork_join(int size, unsigned seed) : size_(size), seed_(seed) {}

    void start(scheduler& runtime) override {
        root_job_.creator = -1;
        runtime.begin_with(root_job_);
    }
    process<nothing> run(worker& on, job&) override {
        fork_child* root = make(nullptr, size_, seed_);
        co_await run_fork(on, root);
        co_return {};
    }
    process<nothing> run_fork(worker& on, fork_child* what) override;

protected:
    /// The sizes and seeds of the children, and the price of the node itself.
    virtual int children(const fork_child& of, std::vector<std::pair<int, std::uint64_t>>& out) = 0;
    virtual double price(const worker& on) const = 0;
    fork_child* make(fork_child* parent, int size, std::uint64_t seed);

private:
    process<bool> begin(worker& on, fork_child*& what);
    process<fork_child*> ended(worker& on, fork_child* what);
    process<nothing> share_all(worker& on, fork_child* innermost);
    void recycle(fork_child* what) { free_.push_back(what); }

    int size_;
    unsigned seed_;
    job root_job_;
    std::deque<fork_child> store_;
    std::vector<fork_child*> free_;
    std::vector<std::pair<int, std::uint64_t>> shapes_;
};

fork_child* fork_join::make(fork_child* parent, int size, std::uint64_t seed) {
    if (free_.empty()) free_.push_back(&store_.emplace_back());
    fork_child* child = free_.back();
    free_.pop_back();
    *child = {};
    child->parent = parent;
    child->size = size;
    child->seed = seed;
    ++created;
    return child;
}

process<nothing> fork_join::run_fork(worker& on, fork_child* what) {
    while (what != nullptr) {
        const bool descends = co_await begin(on, what);
        if (descends) continue;
        what = co_await ended(on, what);
    }
    co_return {};
}

/// True: it has children, `what` is the first of them now.
process<bool> fork_join::begin(worker& on, fork_child*& what) {
    double taken = price(on);
    work += taken;
    shapes_.clear();
    const int count = children(*what, shapes_);
    if (count == 0) {
        co_await on.spend(taken, spent_on::work);
        co_return false;
    }
    fork_child* join = what;
    join->left = count;
    join->home = join->last = on.index;
    const bool first_offer = on.forks.empty() || on.core.rules.announce_first == 0;
    fork_child* first = make(join, shapes_[0].first, shapes_[0].second);
    for (std::size_t i = static_cast<std::size_t>(count); i-- > 1;) {
        taken += on.push_fork(make(join, shapes_[i].first, shapes_[i].second));
    }
    if (count > 1 && on.core.workers.size() > 1 && first_offer) {
        bool must_call = false;
        const double look = on.core.price.announce + on.look_at_idle_set(must_call);
        on.spent[static_cast<std::size_t>(spent_on::announce)] += look;
        on.spent[static_cast<std::size_t>(spent_on::work)] -= look;
        taken += look;
        if (must_call) co_await on.notify_one();
    }
    what = first;
    co_await on.spend(taken, spent_on::work);
    co_return true;
}

/// Counts it and its parents as far as they end with it; gives what to run next, or null.
process<fork_child*> fork_join::ended(worker& on, fork_child* what) {
    const costs& price = on.core.price;
    for (;;) {
        ++ran;
        fork_child* join = what->parent;
        recycle(what);
        if (join == nullptr) {
            on.core.finish();
            co_return nullptr;
        }
        double taken = 0;
        fork_child* next = nullptr;
        if (!join->shared && join->home == on.index) {
            if (join->taken && join->left == 1) co_await share_all(on, join);
            if (--join->left == 0) {
                what = join;
                continue;
            }
            next = on.pop_fork(taken);
            if (taken > 0) co_await on.spend(taken, spent_on::work);
            if (next != nullptr && next->parent == join) co_return next;
            co_await share_all(on, join);
            if (join->left != 0) co_return next;
            // The others have ended meanwhile: the parent goes on, `next` waits.
            if (next != nullptr) static_cast<void>(on.push_fork(next));
            what = join;
            continue;
        }
        taken = on.core.hardware.distance(join->last, on.index) + price.local_rmw;
        join->last = on.index;
        co_await on.spend(taken, spent_on::work);
        if (--join->left == 0 && join->shared) {
            what = join;
            continue;
        }
        taken = price.make_runnable;
        next = on.pop_fork(taken);
        co_await on.spend(taken, spent_on::work);
        co_return next;
    }
}

/// Nobody else may end a join before its home has shared it, so that is seen at the end only.
process<nothing> fork_join::share_all(worker& on, fork_child* innermost) {
    const auto is_own = [&](const fork_child* join) {
        return join != nullptr && !join->shared && join->home == on.index;
    };
    double taken = 0;
    for (fork_child* join = innermost; is_own(join); join = join->parent) {
        taken += on.core.price.share_level;
    }
    co_await on.spend(taken, spent_on::work);
    for (fork_child* join = innermost; is_own(join); join = join->parent) join->shared = true;
    co_return {};
}

/// fib(size): no work but the call itself.
class fib_tree final : public fork_join {
public:
    using fork_join::fork_join;

private:
    int children(const fork_child& of, std::vector<std::pair<int, std::uint64_t>>& out) override {
        if (of.size < 2) return 0;
        out.emplace_back(of.size - 1, 0);
        out.emplace_back(of.size - 2, 0);
        return 2;
    }
    double price(const worker& on) const override { return on.core.price.call; }
};

/// A tree in the manner of UTS (Olivier et al., LCPC 2006): geometric numbers of children, `size`
/// levels deep, half a microsecond of work in each node.
class uneven_tree final : public fork_join {
public:
    using fork_join::fork_join;

private:
    int children(const fork_child& of, std::vector<std::pair<int, std::uint64_t>>& out) override {
        if (of.size == 0) return 0;
        random_numbers numbers(of.seed * 0x9e3779b97f4a7c15u + 1);
        constexpr double mean = 3;
        const double drawn = std::log(numbers.uniform()) / std::log(mean / (1 + mean));
        int count = std::min(static_cast<int>(drawn), 24);
        if (of.parent == nullptr) count = 24;
        for (int i = 0; i < count; ++i) out.emplace_back(of.size - 1, numbers.next());
        return count;
    }
    double price(const worker& on) const override { return 500 + on.core.price.call; }
};

}  // namespace

std::unique_ptr<workload> make_fork_join(std::string_view name, int size, unsigned seed) {
    if (name == "fib") return std::make_unique<fib_tree>(size > 0 ? size : 30, seed);
    if (name == "uneven") return std::make_unique<uneven_tree>(size > 0 ? size : 9, seed);
    return nullptr;
}

}  // namespace scaling
