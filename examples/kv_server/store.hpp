// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: the data. Keys are spread over shards by their hash; a shard is a hash table, the queue of
// its deadlines and a std::mutex. A mutex is held for straight-line code only, never over a
// co_await, so a plain mutex is right and is the fastest there is while nobody else wants it.
//
// A command takes a shard_lock (one key) or a shards_lock (several keys: all their shards, in the
// order of their index, so two such commands cannot deadlock and each is atomic). Nobody reaches
// a shard without one of the two.
//
// Expiry: an entry past its deadline is gone for every lookup, at once. Its memory comes back when
// it is looked up or when sweep() meets it. The store reads no clock: callers pass the instant.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "entry.hpp"
#include "hash_table.hpp"

namespace kv {

/// Not synchronised: reached through a shard_lock or shards_lock.
class shard {
public:
    /// The live entry, or null. Valid until the next call that may insert or erase in this shard.
    [[nodiscard]] entry* find(const hashed_key& key, deadline now);
    /// The live entry, or a new one that holds an empty string.
    [[nodiscard]] entry& find_or_create(const hashed_key& key, deadline now);
    /// True if there was a live entry.
    bool erase(const hashed_key& key, deadline now);
    /// `when` = never: the entry stays.
    void set_deadline(const hashed_key& key, entry& target, deadline when);

private:
    friend class store;
    friend class shard_lock;
    friend class shards_lock;

    using table = hash_table<entry>;
    struct due {
        deadline when;
        std::string key;
        friend auto operator<=>(const due&, const due&) = default;
    };

    void erase_at(table::iterator where);
    std::size_t sweep(deadline now, std::size_t most);
    void rebuild_deadlines();

    mutable std::mutex mutex_;
    table entries_;
    // A heap, the earliest first. It may hold outdated deadlines of keys that have a new one or
    // none: sweep() asks the entry. Invariant: every entry that expires has its deadline in here.
    std::vector<due> deadlines_;
    std::size_t expiring_ = 0;                   // entries with a deadline
    std::atomic<bool>* any_deadline_ = nullptr;  // the store's; set here with mutex_ held
};

/// Holds the shard of one key.
class [[nodiscard]] shard_lock {
public:
    shard* operator->() const noexcept { return shard_; }
    shard& operator*() const noexcept { return *shard_; }

private:
    friend class store;
    explicit shard_lock(shard& target) : shard_(&target), lock_(target.mutex_) {}
    shard* shard_;
    std::unique_lock<std::mutex> lock_;
};

/// Holds the shards of several keys.
class [[nodiscard]] shards_lock {
public:
    shards_lock(const shards_lock&) = delete;
    shards_lock& operator=(const shards_lock&) = delete;
    ~shards_lock();
    /// The shard of `key`, which must be one of the keys that were locked.
    [[nodiscard]] shard& of(const hashed_key& key) const noexcept;

private:
    friend class store;
    shards_lock(class store& owner, std::uint64_t mask);
    store& owner_;
    std::uint64_t mask_;  // bit i: shard i is locked
};

class store {
public:
    static constexpr std::size_t most_shards = 64;  // one bit each in a shards_lock

    /// `shards` is rounded up to a power of two and down to most_shards.
    explicit store(std::size_t shards = most_shards);

    [[nodiscard]] shard_lock lock(const hashed_key& key) {
        return shard_lock(shards_[index_of(key)]);
    }
    /// Every `stride`-th of `keys`, from the first on.
    [[nodiscard]] shards_lock lock(std::span<const std::string_view> keys, std::size_t stride = 1);

    struct size_summary {
        std::size_t keys = 0;
        std::size_t expiring = 0;
    };
    /// Entries past their deadline count until their memory comes back.
    [[nodiscard]] size_summary size() const;
    void clear();

    /// Frees entries past their deadline, a few at a time under each lock. Returns the earliest
    /// deadline that is left, or never.
    deadline sweep(deadline now);
    /// False only if nothing will expire: then nobody need call sweep(). Any thread. Sequentially
    /// consistent, as is the setting of a deadline: sweeper.hpp relies on it.
    [[nodiscard]] bool has_deadlines() const noexcept {
        return any_deadline_.load(std::memory_order_seq_cst);  // S1: after is_running_ is false
    }

    /// The whole content at `now` as requests which, sent to an empty server, recreate it.
    [[nodiscard]] std::string dump(instant now) const;

private:
    friend class shards_lock;
    struct alignas(64) padded_shard : shard {};  // no false sharing between neighbours

    [[nodiscard]] std::size_t index_of(const hashed_key& key) const noexcept {
        return (key.hash >> 40) & mask_;  // bits that the table inside the shard uses least
    }

    std::size_t mask_;  // count - 1
    // sweep() clears it before it looks into the shards and sets it again if it met a deadline. A
    // deadline set later than that look finds it cleared, by the order of the mutex, and sets it.
    std::atomic<bool> any_deadline_ = false;
    std::unique_ptr<padded_shard[]> shards_;
};

}  // namespace kv
