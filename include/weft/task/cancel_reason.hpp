// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Why a task was asked to stop: one immutable record, shared by reference count by every task that
// the request reaches and by the exceptions that report it.
//
// Protocol: reference count                                 checked by: tests/unit/task, TSan
// Roles      holder (any thread)
// Edges      C1 drop release → last drop acquire: the record's last use is before its deletion
//
// Protocol: reason slot                         checked by: tests/stress/cancel_stress_test.cpp
// Roles      canceller (any thread, any number): put · owner, or a looker in its place: take,
//            put_back
// Invariants S1 the slot owns one reference, and whoever wants the record exchanges it out: nobody
//               counts up a record that he only sees, for the next canceller may be dropping it.
// Edges      C2 put release → take acquire: the record's contents
#pragma once

#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

#include "weft/model/environment.hpp"

namespace weft::detail {

struct cancel_reason {
    std::string text;
    std::source_location where;
    std::uint64_t requester = 0;  // task id, 0 = no task
    mutable real_environment::atomic<std::uint32_t> references{1};
};

/// Owning pointer to a shared, immutable cancel_reason; may be null.
class reason_ref {
public:
    reason_ref() noexcept = default;
    reason_ref(const reason_ref& other) noexcept : record_(other.record_) { retain(); }
    reason_ref(reason_ref&& other) noexcept : record_(std::exchange(other.record_, nullptr)) {}
    reason_ref& operator=(reason_ref other) noexcept {
        std::swap(record_, other.record_);
        return *this;
    }
    ~reason_ref() {
        if (record_ != nullptr) drop();
    }

    /// Takes over one reference.
    [[nodiscard]] static reason_ref adopt(const cancel_reason* record) noexcept {
        reason_ref ref;
        ref.record_ = record;
        return ref;
    }
    /// Gives the reference away.
    [[nodiscard]] const cancel_reason* release() noexcept {
        return std::exchange(record_, nullptr);
    }
    [[nodiscard]] const cancel_reason* operator->() const noexcept { return record_; }
    [[nodiscard]] const cancel_reason* get() const noexcept { return record_; }
    explicit operator bool() const noexcept { return record_ != nullptr; }

private:
    void retain() const noexcept {
        if (record_ == nullptr) return;
        record_->references.fetch_add(1,
                                      std::memory_order_relaxed);  // C1: needs a live holder only
    }
    void drop() noexcept;

    const cancel_reason* record_ = nullptr;
};

/// The reason of the last request that a runnable has not taken note of; may be empty.
class reason_slot {
public:
    reason_slot() noexcept = default;
    reason_slot(const reason_slot&) = delete;
    reason_slot& operator=(const reason_slot&) = delete;
    ~reason_slot() {
        // The owner is alone by now, and sees every put through the last drop of its own block.
        const cancel_reason* left = record_.load(std::memory_order_relaxed);  // C2: nobody else
        static_cast<void>(reason_ref::adopt(left));
    }

    void put(reason_ref why) noexcept {
        static_cast<void>(reason_ref::adopt(exchange(why.release())));
    }
    reason_ref take() noexcept { return reason_ref::adopt(exchange(nullptr)); }
    /// Returns what was taken, unless a newer one has come.
    void put_back(reason_ref why) noexcept {
        const cancel_reason* none = nullptr;
        if (record_.compare_exchange_strong(none, why.get(), std::memory_order_acq_rel,  // C2
                                            std::memory_order_relaxed)) {  // C2: nothing is read
            static_cast<void>(why.release());
        }
    }

private:
    const cancel_reason* exchange(const cancel_reason* record) noexcept {
        return record_.exchange(record, std::memory_order_acq_rel);  // C2
    }

    real_environment::atomic<const cancel_reason*> record_{nullptr};
};

/// Never throws: out of memory yields a request without a reason rather than no request.
[[nodiscard]] reason_ref make_reason(std::string_view text, std::source_location where,
                                     std::uint64_t requester) noexcept;
/// The same for the task that runs on this thread.
[[nodiscard]] reason_ref make_reason(std::string_view text, std::source_location where) noexcept;

}  // namespace weft::detail
