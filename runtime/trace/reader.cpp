// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Walks the records of a file that file_loader.cpp opened, and answers questions about its tables.

#include "weft/trace/reader.hpp"

#include <algorithm>
#include <queue>

#include "trace/byte_source.hpp"

namespace weft::trace {

using weft::detail::byte_source;

/// Decodes the chunks of one emitter, one record at a time.
class trace_file::cursor {
public:
    cursor(const trace_file& file, std::uint32_t emitter) : file_(file) {
        now_.emitter = emitter;
        for (const chunk_place& place : file.chunks_[emitter]) ordered_.push_back(&place);
        std::sort(ordered_.begin(), ordered_.end(),
                  [](const auto* a, const auto* b) { return a->sequence < b->sequence; });
    }

    [[nodiscard]] const recorded_event& event_now() const noexcept { return now_; }
    /// The time by which records are merged: never backwards within one emitter.
    [[nodiscard]] std::uint64_t order() const noexcept { return order_; }

    [[nodiscard]] bool next() {
        while (true) {
            while (left_ == 0) {
                if (next_chunk_ == ordered_.size()) return false;
                open_chunk(*ordered_[next_chunk_++]);
            }
            --left_;
            decode();
            if (source_.ok()) break;
            left_ = 0;  // a chunk that lies about itself under a right checksum: give it up
        }
        order_ = std::max(order_, now_.ticks);
        return true;
    }

private:
    void open_chunk(const chunk_place& place) {
        source_ = byte_source(
            std::string_view(file_.bytes_).substr(place.offset, place.end - place.offset));
        left_ = place.count;
        now_.ticks = place.ticks;
        now_.sequence = place.sequence - 1;
        pending_lost_ += place.lost;
        last_task_ = 0;
    }

    void decode() {
        now_.lost = std::exchange(pending_lost_, 0);
        now_.id = static_cast<event>(source_.fixed<std::uint8_t>());
        now_.ticks += unzigzag(source_.varint());
        now_.payload = 0;
        ++now_.sequence;
        const recorded_layout& layout = file_.layouts_[static_cast<std::size_t>(now_.id)];
        if (layout.name.empty()) {
            now_.payload = source_.fixed<std::uint64_t>();
            return;
        }
        unsigned shift = 0;
        for (std::size_t i = 0; i < layout.fields.size();) {
            unsigned bits = layout.fields[i].bits;
            const bool is_task = layout.fields[i].kind == field_kind::task;
            for (++i; !is_task && i < layout.fields.size(); ++i) {
                const auto& more = layout.fields[i];
                if (more.kind == field_kind::task || bits + more.bits > merged_field_bits) break;
                bits += more.bits;
            }
            put(bits, shift, is_task);
            shift += bits;
        }
    }

    void put(unsigned bits, unsigned shift, bool is_task) {
        const std::uint64_t mask = ~std::uint64_t{0} >> (64 - bits);
        std::uint64_t value = source_.varint();
        if (is_task) {
            value = (last_task_ + unzigzag(value)) & mask;
            last_task_ = value;
        }
        now_.payload |= (value & mask) << shift;
    }

    const trace_file& file_;
    std::vector<const chunk_place*> ordered_;
    std::size_t next_chunk_ = 0;
    byte_source source_{{}};
    std::uint32_t left_ = 0;
    std::uint64_t pending_lost_ = 0;
    std::uint64_t last_task_ = 0;
    std::uint64_t order_ = 0;
    recorded_event now_;
};

void trace_file::for_each(const std::function<void(const recorded_event&)>& visit) const {
    std::vector<cursor> cursors;
    for (std::uint32_t i = 0; i < emitters.size(); ++i) cursors.emplace_back(*this, i);
    using place = std::pair<std::uint64_t, std::size_t>;  // order, index into cursors
    std::priority_queue<place, std::vector<place>, std::greater<>> heap;
    for (std::size_t i = 0; i < cursors.size(); ++i) {
        if (cursors[i].next()) heap.emplace(cursors[i].order(), i);
    }
    while (!heap.empty()) {
        const std::size_t index = heap.top().second;
        heap.pop();
        // Stay with this emitter while it is the earliest: saves most of the heap's work.
        do {
            visit(cursors[index].event_now());
            if (!cursors[index].next()) break;
            if (!heap.empty() && place(cursors[index].order(), index) > heap.top()) {
                heap.emplace(cursors[index].order(), index);
                break;
            }
        } while (true);
    }
}

std::uint64_t trace_file::to_monotonic(std::uint64_t ticks) const noexcept {
    if (clocks.empty()) return ticks;
    if (clocks.size() == 1) return clocks[0].monotonic + (ticks - clocks[0].ticks);
    auto after = std::upper_bound(clocks.begin() + 1, clocks.end() - 1, ticks,
                                  [](std::uint64_t t, const auto& c) { return t < c.ticks; });
    const clock_sync& a = *(after - 1);
    const clock_sync& b = *after;
    if (b.ticks == a.ticks) return a.monotonic;
    const double rate = static_cast<double>(static_cast<std::int64_t>(b.monotonic - a.monotonic)) /
                        static_cast<double>(b.ticks - a.ticks);
    const double passed = static_cast<double>(static_cast<std::int64_t>(ticks - a.ticks)) * rate;
    if (!(passed > -9e18 && passed < 9e18)) return a.monotonic;  // damaged clocks
    return a.monotonic + static_cast<std::uint64_t>(static_cast<std::int64_t>(passed));
}

std::string_view trace_file::meta(std::string_view key) const noexcept {
    const auto found = meta_.find(key);
    return found == meta_.end() ? std::string_view{} : found->second;
}

const recorded_layout* trace_file::layout_for(event id) const noexcept {
    const recorded_layout& layout = layouts_[static_cast<std::size_t>(id)];
    return layout.name.empty() ? nullptr : &layout;
}

std::vector<std::uint64_t> trace_file::fields(const recorded_event& e) const {
    std::vector<std::uint64_t> values;
    unsigned shift = 0;
    for (const auto& field : layouts_[static_cast<std::size_t>(e.id)].fields) {
        values.push_back(e.payload >> shift & ~std::uint64_t{0} >> (64 - field.bits));
        shift += field.bits;
    }
    return values;
}

const recorded_location* trace_file::location(id_space space, std::uint32_t id) const noexcept {
    const auto found = locations_.find({space, id});
    return found == locations_.end() ? nullptr : &found->second;
}

}  // namespace weft::trace
