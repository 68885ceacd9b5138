// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Atomics, fences and cells of an execution.
//
// A location keeps every store. A load may return any store that its thread is not obliged to have
// overtaken (`oldest_readable`), within the bounds of the options; a read-modify-write reads the
// newest. Release stores hand the thread's knowledge on, acquire loads take it.
//   seq_cst accesses  agree on one order per location: the order of execution
//   seq_cst fence     joins a view common to all fences; also works as acquire and release fence
//                     for atomics. It hands on no happens-before for cells: the house rule is that
//                     no edge rests on a fence (ThreadSanitizer cannot see one)
//   heavy fence       a seq_cst fence that takes over what every other thread had seen and stored
//   at
//                     its last light fence. What a thread did after its last light fence is *not*
//                     forced out, although membarrier(2) would: the compiler may have moved it
//   light fence       takes over what heavy fences before it have made visible
// Cell accesses are no scheduling points: two of them without a happens-before edge are found
// whichever way they are interleaved, and two with an edge cannot be exchanged.
#include "execution.hpp"
#include "trace.hpp"

namespace weft::model {

namespace {

bool is_acquire(std::memory_order order) {
    return order != std::memory_order_relaxed && order != std::memory_order_release;
}
bool is_release(std::memory_order order) {
    return order == std::memory_order_release || order == std::memory_order_acq_rel ||
           order == std::memory_order_seq_cst;
}
bool is_seq_cst(std::memory_order order) { return order == std::memory_order_seq_cst; }

std::uint64_t applied(update_kind kind, std::uint64_t old, std::uint64_t by) {
    switch (kind) {
        case update_kind::exchange:
            return by;
        case update_kind::add:
            return old + by;
        case update_kind::subtract:
            return old - by;
        case update_kind::bit_or:
            return old | by;
        case update_kind::bit_and:
            return old & by;
        case update_kind::bit_xor:
            return old ^ by;
    }
    return old;
}

}  // namespace

/// `order`, or relaxed where the probe says so.
std::memory_order execution::probed(std::memory_order order, site where) {
    if (limits_.probe == nullptr || order == std::memory_order_relaxed) [[likely]]
        return order;
    unwatched_scope engine;
    order_probe& probe = *limits_.probe;
    std::size_t i = 0;
    for (; i < probe.met.size(); ++i) {
        const site& known = probe.met[i];
        bool is_same = known.line() == where.line() && known.column() == where.column();
        if (is_same && std::string_view(known.file_name()) == where.file_name()) break;
    }
    if (i == probe.met.size()) probe.met.push_back(where);
    return i == probe.weakened ? std::memory_order_relaxed : order;
}

std::uint32_t execution::create_atomic(void* address, std::uint64_t value) {
    if (location_count_ == max_locations) fail("the model has too many atomics");
    auto id = static_cast<std::uint32_t>(location_count_++);
    location& created = locations_[id];
    created.address = address;
    created.is_alive = true;
    created.created = moment();
    created.accessed.clear();
    created.stores.clear();
    created.stores.push_back({value, 0});
    return id;
}

execution::location& execution::access(handle word, site where) {
    if (word.id >= location_count_ || locations_[word.id].address != word.address ||
        !locations_[word.id].is_alive) {
        fail_at(where, [] { return std::string("use after free: the atomic is gone"); });
    }
    location& found = locations_[word.id];
    if (!self().now.before.covers(found.created)) {
        fail_at(where, [&] {
            return name_of(word.address) + " is used before its construction is visible";
        });
    }
    found.accessed.set(running_, moment().time);
    return found;
}

void execution::destroy_atomic(handle word, site where) {
    location& dying = access(word, where);
    if (!self().now.before.covers(dying.accessed)) {
        fail_at(where, [&] {
            return name_of(word.address) + " is destroyed while another thread may be using it";
        });
    }
    dying.is_alive = false;
}

stamp execution::oldest_readable(std::uint32_t id, bool is_seq_cst) {
    stamp oldest = self().now.seen.of(id);
    return is_seq_cst ? std::max(oldest, sequential_.of(id)) : oldest;
}

std::size_t execution::pick_stale(std::size_t older) {
    if (older == 0 || limits_.memory == memory_model::sequential) return 0;
    if (stale_ == limits_.stale_loads) return 0;
    std::size_t picked = choices_->pick(std::min(older, limits_.stale_depth) + 1);
    if (picked != 0) ++stale_;
    return picked;
}

void execution::take_message(const location& from, std::uint32_t id, stamp read,
                             std::memory_order order) {
    modelled_thread& thread = self();
    thread.now.seen.raise(id, read);
    if (is_seq_cst(order)) sequential_.raise(id, read);
    std::uint32_t message = from.stores[read].message;
    if (message == 0) return;
    if (is_acquire(order)) {
        thread.now.join(messages_[message]);
    } else {
        thread.acquired.join(messages_[message].seen);
    }
}

/// What a store with `order` hands on; `previous` is the message of the store that it replaces in
/// the release sequence of a read-modify-write.
std::uint32_t execution::new_message(std::memory_order order, std::uint32_t previous) {
    modelled_thread& thread = self();
    auto id = static_cast<std::uint32_t>(messages_.size());
    messages_.emplace_back();
    knowledge& message = messages_.back();
    if (is_release(order)) {
        message = thread.now;
    } else {
        message.seen = thread.released;
    }
    if (previous != 0) message.join(messages_[previous]);
    return id;
}

void execution::append(location& to, std::uint32_t id, std::uint64_t value, std::uint32_t message,
                       std::memory_order order) {
    bool is_change = to.stores.back().value != value;
    to.stores.push_back({value, message});
    auto written = static_cast<stamp>(to.stores.size() - 1);
    modelled_thread& thread = self();
    thread.now.seen.raise(id, written);
    messages_[message].seen.raise(id, written);
    if (is_seq_cst(order)) sequential_.raise(id, written);
    thread.now.before.tick(running_);
    if (is_change) world_changed();
}

std::uint64_t execution::load(handle word, std::memory_order order, site where) {
    order = probed(order, where);
    reschedule();
    location& from = access(word, where);
    auto newest = static_cast<stamp>(from.stores.size() - 1);
    stamp oldest = oldest_readable(word.id, is_seq_cst(order));
    auto read = static_cast<stamp>(newest - pick_stale(std::size_t{newest} - oldest));
    take_message(from, word.id, read, order);
    std::uint64_t value = from.stores[read].value;
    note(where, [&] {
        std::string line = "load   " + name_of(word.address) + " -> " + text_of(value) + " (" +
                           text_of(order) + ")";
        if (read != newest) line += " stale, newest is " + text_of(from.stores[newest].value);
        return line;
    });
    return value;
}

void execution::store(handle word, std::uint64_t value, std::memory_order order, site where) {
    order = probed(order, where);
    reschedule();
    location& to = access(word, where);
    append(to, word.id, value, new_message(order, 0), order);
    note(where, [&] {
        return "store  " + name_of(word.address) + " = " + text_of(value) + " (" + text_of(order) +
               ")";
    });
}

std::uint64_t execution::update(handle word, update_kind kind, std::uint64_t by, std::size_t bytes,
                                std::memory_order order, site where) {
    order = probed(order, where);
    reschedule();
    location& at = access(word, where);
    auto newest = static_cast<stamp>(at.stores.size() - 1);
    store_record old = at.stores[newest];
    take_message(at, word.id, newest, order);
    std::uint64_t value = applied(kind, old.value, by) & (~std::uint64_t{0} >> (64 - 8 * bytes));
    append(at, word.id, value, new_message(order, old.message), order);
    note(where, [&] {
        return "update " + name_of(word.address) + " " + text_of(old.value) + " => " +
               text_of(value) + " (" + text_of(order) + ")";
    });
    return old.value;
}

bool execution::compare_exchange(handle word, std::uint64_t& expected, std::uint64_t desired,
                                 std::memory_order success, std::memory_order failure, bool is_weak,
                                 site where) {
    success = probed(success, where);
    if (success == std::memory_order_relaxed) failure = success;
    reschedule();
    location& at = access(word, where);
    auto newest = static_cast<stamp>(at.stores.size() - 1);
    store_record old = at.stores[newest];
    stamp oldest = oldest_readable(word.id, is_seq_cst(failure));
    // A failure may read an older store, if that one differs too or the exchange is weak.
    auto may_read = [&](stamp read) { return is_weak || at.stores[read].value != expected; };
    auto read = static_cast<stamp>(newest - pick_stale(std::size_t{newest} - oldest));
    bool is_spurious = false;
    if (read == newest && is_weak && old.value == expected) is_spurious = pick_stale(1) != 0;
    if (!may_read(read)) read = newest;
    if (read == newest && old.value == expected && !is_spurious) {
        take_message(at, word.id, newest, success);
        append(at, word.id, desired, new_message(success, old.message), success);
        note(where, [&] {
            return "cas    " + name_of(word.address) + " " + text_of(old.value) + " => " +
                   text_of(desired) + " (" + text_of(success) + ")";
        });
        return true;
    }
    take_message(at, word.id, read, failure);
    note(where, [&] {
        return "cas    " + name_of(word.address) + " wants " + text_of(expected) + ", finds " +
               text_of(at.stores[read].value) + (is_spurious ? " (spurious failure)" : "");
    });
    expected = at.stores[read].value;
    return false;
}

void execution::seq_cst_fence(site where) {
    reschedule();
    modelled_thread& thread = self();
    thread.now.seen.join(thread.acquired);
    thread.now.seen.join(sequential_);
    thread.now.seen.join(heavy_);
    sequential_ = thread.now.seen;
    thread.released = thread.now.seen;
    thread.light = thread.now.seen;
    note(where, [] { return std::string("seq_cst fence"); });
}

void execution::light_fence(site where) {
    if (!limits_.is_asymmetric) return seq_cst_fence(where);
    reschedule();
    modelled_thread& thread = self();
    thread.now.seen.join(heavy_);
    thread.light = thread.now.seen;
    note(where, [] { return std::string("light fence"); });
}

void execution::heavy_fence(site where) {
    seq_cst_fence(where);
    if (!limits_.is_asymmetric) return;
    modelled_thread& thread = self();
    for (std::size_t i = 0; i < thread_count_; ++i) thread.now.seen.join(threads_[i].light);
    sequential_ = thread.now.seen;
    heavy_ = thread.now.seen;
    thread.released = thread.now.seen;
    thread.light = thread.now.seen;
    note(where, [] { return std::string("heavy fence: done"); });
}

std::uint32_t execution::create_cell(void* address) {
    cells_.push_back({address, true, moment(), {}});
    return static_cast<std::uint32_t>(cells_.size() - 1);
}

execution::cell_record& execution::access_cell(handle datum, site where) {
    if (datum.id >= cells_.size() || cells_[datum.id].address != datum.address ||
        !cells_[datum.id].is_alive) {
        fail_at(where, [] { return std::string("use after free: the cell is gone"); });
    }
    return cells_[datum.id];
}

void execution::read_cell(handle datum, site where) {
    cell_record& cell = access_cell(datum, where);
    if (!self().now.before.covers(cell.written)) {
        fail_at(where, [&] {
            return "data race: reads " + name_of(datum.address) + ", which " +
                   threads_[cell.written.thread].name + " wrote, without an edge between them";
        });
    }
    cell.read.set(running_, moment().time);
    note(where, [&] { return "read   " + name_of(datum.address); });
}

void execution::write_cell(handle datum, site where) {
    cell_record& cell = access_cell(datum, where);
    const vector_clock& before = self().now.before;
    if (!before.covers(cell.written) || !before.covers(cell.read)) {
        fail_at(where, [&] {
            return "data race: writes " + name_of(datum.address) +
                   ", which another thread uses, without an edge between them";
        });
    }
    cell.written = moment();
    note(where, [&] { return "write  " + name_of(datum.address); });
}

void execution::destroy_cell(handle datum, site where) {
    write_cell(datum, where);
    cells_[datum.id].is_alive = false;
}

}  // namespace weft::model
