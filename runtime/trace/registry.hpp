// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Who writes records: every attached emitter with its ring, and the names that records refer to.
// One mutex guards it all; it is held for short table work only, never for input or output, and
// never on the path of a record.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "trace/interner.hpp"
#include "trace/ring_area.hpp"
#include "weft/trace/session.hpp"

namespace weft::detail {

/// An attached thread. While a recording runs, `reader` belongs to the collector.
struct ring_owner {
    trace::emitter* emitter = nullptr;  // nullptr once detached
    trace_ring<real_environment> ring;  // no words before the first recording
    std::uint32_t line = 0;             // in the area's table
    std::uint32_t number = 0;
    std::uint32_t index = 0;
    std::uint32_t thread = 0;
    trace::emitter_kind kind = trace::emitter_kind::foreign;
    bool announced = false;  // in the present file
    char name[24] = {};
    trace_ring_reader<real_environment> reader;
};

class trace_registry {
public:
    /// What the collector takes along at the start of a round.
    struct round_input {
        std::vector<ring_owner*> owners;
        std::vector<ring_owner*> detached;  // of these; to be given back after their last drain
        std::string locations;
        std::string emitters;
        std::string names;
    };

    void attach(trace::emitter& e, trace::emitter_kind kind, unsigned index, std::string_view name);
    void detach(trace::emitter& e) noexcept;

    /// Gives every owner a ring and switches `mask` on; later attachments follow.
    [[nodiscard]] std::error_code begin(std::uint32_t mask, std::uint64_t ring_capacity,
                                        bool monotonic_ticks);
    /// Switches all masks off. The rings stay with their owners.
    void end_writing() noexcept;
    /// After the collector's last round: frees what detached owners left.
    void end_reading() noexcept;

    void take(round_input& input);
    void give_back(const std::vector<ring_owner*>& drained) noexcept;

    [[nodiscard]] std::uint32_t define(const interned_location& location);
    void name_task(trace::task_id task, std::string_view name);

    [[nodiscard]] std::uint64_t unringed() noexcept;

    /// fork(2): `lock` before, `unlock` after in the parent, `abandon` then `unlock` in the child.
    void lock() { mutex_.lock(); }
    void unlock() { mutex_.unlock(); }
    void abandon() noexcept;

private:
    struct spare_ring {
        trace_ring<real_environment> ring;
        std::uint32_t line;
    };

    void start_locked(ring_owner& owner) noexcept;
    [[nodiscard]] bool bind_locked(ring_owner& owner) noexcept;
    void free_ring_locked(ring_owner& owner) noexcept;
    void remove_locked(const ring_owner* owner) noexcept;

    std::mutex mutex_;
    ring_area area_;
    trace_interner interner_;
    std::vector<std::unique_ptr<ring_owner>> owners_;
    std::vector<spare_ring> spare_;
    std::string names_;
    std::size_t locations_taken_ = 0;
    std::uint64_t ring_capacity_ = 0;
    std::uint64_t unringed_ = 0;
    std::uint32_t mask_ = 0;  // while writing
    std::uint32_t next_number_ = 0;
    std::uint32_t clock_bit_ = 0;
    bool reading_ = false;  // the collector may hold pointers to owners
};

/// The one registry of this process; it outlives every thread.
[[nodiscard]] trace_registry& process_trace_registry() noexcept;

}  // namespace weft::detail
