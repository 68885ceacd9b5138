// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "store.hpp"

#include <algorithm>
#include <bit>
#include <functional>

#include "dump.hpp"

namespace kv {

// One shard ------------------------------------------------------------------------------------

entry* shard::find(const hashed_key& key, deadline now) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return nullptr;
    if (found->second.expires_ <= now) [[unlikely]] {
        erase_at(found);
        return nullptr;
    }
    return &found->second;
}

entry& shard::find_or_create(const hashed_key& key, deadline now) {
    if (entry* present = find(key, now)) return *present;
    return entries_.emplace(std::string(key.text), entry()).first->second;
}

bool shard::erase(const hashed_key& key, deadline now) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return false;
    const bool was_live = found->second.expires_ > now;
    erase_at(found);
    return was_live;
}

void shard::erase_at(table::iterator where) {
    if (where->second.expires_ != never) --expiring_;
    entries_.erase(where);
}

void shard::set_deadline(const hashed_key& key, entry& target, deadline when) {
    if (target.expires_ == when) return;
    if (target.expires_ != never) --expiring_;
    target.expires_ = when;
    if (when == never) return;
    ++expiring_;
    if (!any_deadline_->load(std::memory_order_seq_cst)) {      // S1: true counts as set here
        any_deadline_->store(true, std::memory_order_seq_cst);  // S1: before wake() looks
    }
    deadlines_.push_back({when, std::string(key.text)});
    std::ranges::push_heap(deadlines_, std::greater<>{});
    // A key whose deadline is renewed again and again must not fill the heap with old ones.
    if (deadlines_.size() > 2 * expiring_ + 64) rebuild_deadlines();
}

void shard::rebuild_deadlines() {
    std::erase_if(deadlines_, [this](const due& item) {
        const auto found = entries_.find(hashed_key(item.key));
        return found == entries_.end() || found->second.expires_ != item.when;
    });
    // A deadline that moved away and back is in there twice. Sorted, the rest is a heap as well.
    std::ranges::sort(deadlines_);
    const auto twice = std::ranges::unique(deadlines_);
    deadlines_.erase(twice.begin(), twice.end());
}

std::size_t shard::sweep(deadline now, std::size_t most) {
    std::size_t looked_at = 0;
    while (looked_at < most && !deadlines_.empty() && deadlines_.front().when <= now) {
        std::ranges::pop_heap(deadlines_, std::greater<>{});
        const auto found = entries_.find(hashed_key(deadlines_.back().key));
        if (found != entries_.end() && found->second.expires_ <= now) erase_at(found);
        deadlines_.pop_back();
        ++looked_at;
    }
    return looked_at;
}

// Several shards -------------------------------------------------------------------------------

shards_lock::shards_lock(store& owner, std::uint64_t mask) : owner_(owner), mask_(mask) {
    for (std::uint64_t rest = mask_; rest != 0; rest &= rest - 1) {
        owner_.shards_[static_cast<std::size_t>(std::countr_zero(rest))].mutex_.lock();
    }
}

shards_lock::~shards_lock() {
    for (std::uint64_t rest = mask_; rest != 0; rest &= rest - 1) {
        owner_.shards_[static_cast<std::size_t>(std::countr_zero(rest))].mutex_.unlock();
    }
}

shard& shards_lock::of(const hashed_key& key) const noexcept {
    return owner_.shards_[owner_.index_of(key)];
}

// The store ------------------------------------------------------------------------------------

store::store(std::size_t shards)
    : mask_(std::bit_ceil(std::clamp<std::size_t>(shards, 1, most_shards)) - 1),
      shards_(std::make_unique<padded_shard[]>(mask_ + 1)) {
    for (std::size_t i = 0; i <= mask_; ++i) shards_[i].any_deadline_ = &any_deadline_;
}

shards_lock store::lock(std::span<const std::string_view> keys, std::size_t stride) {
    std::uint64_t mask = 0;
    for (std::size_t i = 0; i < keys.size(); i += stride) {
        mask |= std::uint64_t{1} << index_of(hashed_key(keys[i]));
    }
    return shards_lock(*this, mask);
}

store::size_summary store::size() const {
    size_summary sum;
    for (std::size_t i = 0; i <= mask_; ++i) {
        const std::scoped_lock lock(shards_[i].mutex_);
        sum.keys += shards_[i].entries_.size();
        sum.expiring += shards_[i].expiring_;
    }
    return sum;
}

void store::clear() {
    std::array<shard::table, most_shards> old;  // destroyed after the locks are released
    const shards_lock all(*this, ~std::uint64_t{0} >> (most_shards - 1 - mask_));
    for (std::size_t i = 0; i <= mask_; ++i) {
        old[i].swap(shards_[i].entries_);
        shards_[i].deadlines_.clear();
        shards_[i].expiring_ = 0;
    }
}

deadline store::sweep(deadline now) {
    constexpr std::size_t most_per_lock = 64;
    deadline earliest = never;
    any_deadline_.store(false, std::memory_order_relaxed);  // ordered by the mutexes below
    for (std::size_t i = 0; i <= mask_; ++i) {
        bool is_done = false;
        while (!is_done) {
            const std::scoped_lock lock(shards_[i].mutex_);
            is_done = shards_[i].sweep(now, most_per_lock) < most_per_lock;
            if (!is_done || shards_[i].deadlines_.empty()) continue;
            earliest = std::min(earliest, shards_[i].deadlines_.front().when);
        }
    }
    if (earliest != never) any_deadline_.store(true, std::memory_order_seq_cst);  // S1: may be seen
    return earliest;
}

std::string store::dump(instant now) const {
    dump_writer out(now);
    for (std::size_t i = 0; i <= mask_; ++i) {
        const std::scoped_lock lock(shards_[i].mutex_);
        for (const auto& [key, value] : shards_[i].entries_) {
            if (value.expires() > now.steady) out.add(key, value);
        }
    }
    return out.take();
}

}  // namespace kv
