// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The environment policy of the model checker: the same interface as real_environment, every
// operation of which goes to the running execution. Structures instantiated with it can only be
// used inside model::check() or model::replay(). Call sites appear in traces by their source line.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "execution.hpp"
#include "weft/base/check.hpp"

namespace weft::model {

inline execution& running() {
    WEFT_CHECK(execution::current != nullptr, "model types live inside model::check() only");
    return *execution::current;
}

template <class T>
class model_atomic {
    static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);

public:
    using value_type = T;
    static constexpr bool is_always_lock_free = true;

    model_atomic() noexcept : model_atomic(T{}) {}
    model_atomic(T value) noexcept : id_(running().create_atomic(this, encode(value))) {}
    model_atomic(const model_atomic&) = delete;
    model_atomic& operator=(const model_atomic&) = delete;
    ~model_atomic() { running().destroy_atomic(self(), site::current()); }

    T load(std::memory_order order = std::memory_order_seq_cst,
           site where = site::current()) const noexcept {
        return decode(running().load(self(), order, where));
    }
    void store(T value, std::memory_order order = std::memory_order_seq_cst,
               site where = site::current()) noexcept {
        running().store(self(), encode(value), order, where);
    }
    T exchange(T value, std::memory_order order = std::memory_order_seq_cst,
               site where = site::current()) noexcept {
        return update(update_kind::exchange, value, order, where);
    }
    bool compare_exchange_strong(T& expected, T desired,
                                 std::memory_order success = std::memory_order_seq_cst,
                                 site where = site::current()) noexcept {
        return exchange_if(expected, desired, success, failure_of(success), false, where);
    }
    bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                                 std::memory_order failure, site where = site::current()) noexcept {
        return exchange_if(expected, desired, success, failure, false, where);
    }
    bool compare_exchange_weak(T& expected, T desired,
                               std::memory_order success = std::memory_order_seq_cst,
                               site where = site::current()) noexcept {
        return exchange_if(expected, desired, success, failure_of(success), true, where);
    }
    bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                               std::memory_order failure, site where = site::current()) noexcept {
        return exchange_if(expected, desired, success, failure, true, where);
    }
    T fetch_add(T by, std::memory_order order = std::memory_order_seq_cst,
                site where = site::current()) noexcept
        requires std::integral<T>
    {
        return update(update_kind::add, by, order, where);
    }
    T fetch_sub(T by, std::memory_order order = std::memory_order_seq_cst,
                site where = site::current()) noexcept
        requires std::integral<T>
    {
        return update(update_kind::subtract, by, order, where);
    }
    T fetch_or(T bits, std::memory_order order = std::memory_order_seq_cst,
               site where = site::current()) noexcept
        requires std::integral<T>
    {
        return update(update_kind::bit_or, bits, order, where);
    }
    T fetch_and(T bits, std::memory_order order = std::memory_order_seq_cst,
                site where = site::current()) noexcept
        requires std::integral<T>
    {
        return update(update_kind::bit_and, bits, order, where);
    }
    T fetch_xor(T bits, std::memory_order order = std::memory_order_seq_cst,
                site where = site::current()) noexcept
        requires std::integral<T>
    {
        return update(update_kind::bit_xor, bits, order, where);
    }

    [[nodiscard]] handle self() const noexcept { return {id_, this}; }

private:
    static std::uint64_t encode(T value) noexcept {
        std::uint64_t bits = 0;
        std::memcpy(&bits, &value, sizeof value);
        return bits;
    }
    static T decode(std::uint64_t bits) noexcept {
        T value;
        std::memcpy(&value, &bits, sizeof value);
        return value;
    }
    static constexpr std::memory_order failure_of(std::memory_order success) noexcept {
        if (success == std::memory_order_acq_rel) return std::memory_order_acquire;
        if (success == std::memory_order_release) return std::memory_order_relaxed;
        return success;
    }
    T update(update_kind kind, T by, std::memory_order order, site where) noexcept {
        return decode(running().update(self(), kind, encode(by), sizeof(T), order, where));
    }
    bool exchange_if(T& expected, T desired, std::memory_order success, std::memory_order failure,
                     bool is_weak, site where) noexcept {
        std::uint64_t bits = encode(expected);
        bool is_exchanged = running().compare_exchange(self(), bits, encode(desired), success,
                                                       failure, is_weak, where);
        expected = decode(bits);
        return is_exchanged;
    }

    std::uint32_t id_;
};

struct model_environment {
    template <class T>
    using atomic = model_atomic<T>;

    template <class T>
    class cell {
    public:
        cell() noexcept : id_(running().create_cell(this)) {}
        explicit cell(T value) noexcept : value_(value), id_(running().create_cell(this)) {}
        cell(const cell&) = delete;
        cell& operator=(const cell&) = delete;
        ~cell() { running().destroy_cell({id_, this}, site::current()); }

        [[nodiscard]] T load(site where = site::current()) const noexcept {
            running().read_cell({id_, this}, where);
            return value_;
        }
        void store(T value, site where = site::current()) noexcept {
            running().write_cell({id_, this}, where);
            value_ = value;
        }

    private:
        T value_{};
        std::uint32_t id_;
    };

    /// Never locked twice by one thread: that is a deadlock.
    class mutex {
    public:
        void lock() noexcept {
            for (std::uint32_t seen = 0; !word_.compare_exchange_strong(seen, 1u, acquire, relaxed);
                 seen = 0) {
                futex_wait(word_, 1, std::chrono::steady_clock::time_point::max());
            }
        }
        void unlock() noexcept { running().unlock(word_.self(), site::current()); }

    private:
        static constexpr auto acquire = std::memory_order_acquire;
        static constexpr auto relaxed = std::memory_order_relaxed;
        atomic<std::uint32_t> word_{0};
    };

    static void seq_cst_fence(site where = site::current()) noexcept {
        running().seq_cst_fence(where);
    }
    static void light_fence(site where = site::current()) noexcept { running().light_fence(where); }
    static void heavy_fence(site where = site::current()) noexcept { running().heavy_fence(where); }
    static void relax(site where = site::current()) noexcept { running().yield(where); }

    static bool futex_wait(atomic<std::uint32_t>& word, std::uint32_t expected,
                           std::chrono::steady_clock::time_point deadline,
                           site where = site::current()) noexcept {
        auto at = std::chrono::nanoseconds(deadline.time_since_epoch()).count();
        return running().futex_wait(word.self(), expected, at, where);
    }
    static void futex_wake(atomic<std::uint32_t>& word, int count,
                           site where = site::current()) noexcept {
        running().futex_wake(word.self(), count, where);
    }
    [[nodiscard]] static std::chrono::steady_clock::time_point now() noexcept {
        return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(running().clock()));
    }
    [[nodiscard]] static bool has_asymmetric_fence() noexcept { return running().is_asymmetric(); }
    static void initialise() noexcept {}
};

}  // namespace weft::model
