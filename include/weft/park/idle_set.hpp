// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Which workers are idle, how many search for work, and whom a producer wakes: the one event count
// of the scheduler. A worker without work searches (some only: searching costs the others time),
// then announces itself idle, looks at every source once more, and parks on its parker. A producer
// publishes its item and calls notify_one(). The idea, that one searching worker stands for all
// wake-ups until it finds something, is the Go runtime's (golang/go, src/runtime/proc.go, "Worker
// thread parking/unparking") and Tokio's. A worker that has more than it can run at once needs no
// fence for that: it asks by call_one(), which in the common case reads two words, and asks again.
//
// Worker     begin_search() → search → found:   if (finish_search_found()) wake(notify_one())
//                                    → nothing: announce_idle(w, true)
//            announce_idle → re-scan every source by really trying to take
//              found one → retract_idle → retracted: run it after wake(notify_one())
//                                       → claimed: clear_token(); it counts as a searcher: as above
//              saw one, took none → retract_idle → claimed: as above
//                → retracted: begin_search() before it takes anything; where that is denied others
//                             search, and the last of them looks again
//              nothing → park → retract_idle → retracted: deadline, event or spurious
//                                            → claimed: it counts as a searcher, search
// Producer   publish the item → wake(notify_one());  wake(w): parkers[w].unpark()
// Offerer    a worker, with an item that it runs itself if nobody takes it: publish the item →
//            wake(call_one()), and while it lies there, itself or another thread, now and then
//            again
//
// Protocol: idle set                                       checked by: tests/model/park_model.cpp
// Roles      worker w (bit w only) · notifier (any thread, a worker too)
// Words      idle_[w/64] bit w%64: w is idle and may be claimed · searching_ the searchers
// Invariants I1 a bit is set by its worker, and cleared once: by retract_idle or by one claim.
//            I2 searching_ = searchers + claims in progress, never below zero. A claimed worker was
//               counted before its bit was cleared, so it may uncount itself at once.
//               The bound is soft, and no worker is counted by begin_search that does not search:
//               so none that is denied has to look again.
//            I3 whoever brings searching_ to zero looks again: finish_search_found says so and its
//               caller notifies, announce_idle's caller re-scans, a failed claim loops.
// Edges      P1 store-load pair: notifier {publish, fence, read searching_ and idle_} / worker
//               {set bit, uncount, fence, re-scan}. Either the notifier sees the bit and no
//               searcher, or the re-scan sees the item, or another searcher is left (I3).
//            P2 store-load pair inside notify_one: {uncount, fence, read idle_}, against the same
//               worker side: see the third story. The last searcher's notify_one is one, too.
//            P3 announce_idle release → claim acquire: the worker exists, for whoever unparks it
//            P4 none in call_one: it may miss a worker that announces itself in the same moment
//               and misses the item, which is still in the offerer's store buffer. A fence there
//               would be paid by every task; one that membarrier(2) makes the offerers execute, by
//               every core whenever a worker parks. So it is asked again: by the worker at its
//               looks around, and by the watchdog every two milliseconds. (A runtime that was
//               abandoned has none; the worker's own looks are left.)
//            The items' own edges (deque P1, the injection queue) and the parker's P1 carry the
//            data; nothing else here publishes any, so all reads of searching_ and idle_ are
//            relaxed.
// Races      B01, lost wake-up: the producer's item is still in its store buffer when it reads "no
//            one idle"; the worker announces, re-scans, sees nothing, sleeps: P1.
//            B02, last searcher: a producer sees searcher S and leaves. S has found another item
//            and stops: it is the last, I3 makes it notify. S finds nothing: P1, it re-scans.
//            Failed claim: notifier A counts 0 → 1, finds no bit set. Producer B sees 1 and leaves.
//            Worker W, who re-scanned before B published, is now idle. A uncounts, and must look
//            again: it sees W's bit, or (P2) W's re-scan comes after B's publication.
//            Offered, not seen: P4; what is lost is a peer's help, until it is asked again.
//            Re-scan luck: W re-scans as the last searcher and finds one of two items whose
//            producers both saw it searching. So whoever takes from a re-scan notifies, and whoever
//            only saw something there is a searcher again, before it takes that or anything else.
// Progress   Claim: while a producer's item is visible and a worker idle, someone is searching,
//            re-scanning, about to notify, or notified. Take the item's notify_one. It claimed
//            somebody: who searches. Or it saw no bit: all workers are awake, and the next to
//            announce re-scans after that (P1). Or it saw searching_ > 0: follow the decrements
//            from there to zero; the one that reaches it looks again (I3) and either takes an item
//            or wakes another. A worker that takes an item passes the claim on by notifying, so n
//            items wake up to n workers, one after the other. notify_one loops only when another
//            changed a bit.
// Shutdown   notify_all() after the stop flag was stored: P1 holds for the flag like for an item.
// Rejected   a counter of idle workers beside the bits (B03, B04: it and the bits can disagree);
//            claiming before counting (a claimed worker could uncount itself below zero);
//            a hard bound of searchers: by compare-exchange it fails again and again where many
//            workers serve short requests (the simulator of docs/scaling.md), by adding and taking
//            back a notifier may believe in a searcher that never was one (docs/decisions/0017).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "weft/base/check.hpp"
#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"

namespace weft::detail {

/// How a worker came back from being idle, and what it now owes.
enum class retract_result : std::uint8_t {
    retracted,  ///< by itself, no searcher: what it owes after a re-scan is above
    claimed,    ///< a notifier chose it: a searcher; clears its token, ends with finish_search_*
};

template <class Env>
class idle_set {
public:
    static constexpr std::size_t worker_limit = 256;

    /// `workers` is between 1 and worker_limit; `extra` more may join and leave. Extra workers do
    /// not raise the number of searchers.
    explicit idle_set(std::size_t workers, std::size_t extra = 0) noexcept;
    idle_set(const idle_set&) = delete;
    idle_set& operator=(const idle_set&) = delete;

    /// Any thread, after it published an item. The worker that the caller must unpark, if any: at
    /// most one, and none while somebody searches.
    [[nodiscard]] std::optional<std::size_t> notify_one() noexcept;
    /// Worker, after it published an item of its own, and while it has it: the same, without a
    /// fence.
    [[nodiscard]] std::optional<std::size_t> call_one() noexcept {
        return wants_call() ? notify_one() : std::nullopt;
    }
    /// Whether somebody is idle and nobody searches: a hint.
    [[nodiscard]] bool wants_call() const noexcept {
        return searching() == 0 && any_idle() && !mutated<Env>(mutation::call_nobody);
    }
    /// Any thread. Claims every worker that is idle; `wake(index)` must unpark it.
    template <class Wake>
    void notify_all(Wake&& wake) noexcept;

    /// Worker, awake, no searcher. False: half of the workers search, go on to
    /// announce_idle(w, false). Those who look at the same time may exceed the half.
    [[nodiscard]] bool begin_search() noexcept;
    /// Searcher that found an item. True: it was the last one and must call notify_one().
    [[nodiscard]] bool finish_search_found() noexcept;

    /// Worker, awake, that leaves for a rest without announcing itself. True: it was the last
    /// searcher and must call notify_one().
    [[nodiscard]] bool retire(bool was_searching) noexcept;

    /// Worker `w`, awake. It must now re-scan every source, then park or retract.
    void announce_idle(std::size_t w, bool was_searching) noexcept;
    /// The same with the re-scan; returns what `rescan()` returns: has it found something?
    template <class Rescan>
    [[nodiscard]] bool announce_idle(std::size_t w, bool was_searching, Rescan&& rescan) noexcept;
    /// Worker `w`, announced: after the re-scan found something, and after every park.
    [[nodiscard]] retract_result retract_idle(std::size_t w) noexcept;

    /// Any thread, hints for tests and statistics.
    [[nodiscard]] std::size_t searching() const noexcept;
    [[nodiscard]] std::size_t idle_count() const noexcept;
    [[nodiscard]] bool is_idle(std::size_t w) const noexcept;

private:
    using bits = std::uint64_t;
    static constexpr std::size_t word_bits = 64;
    [[nodiscard]] static constexpr bits bit_of(std::size_t w) noexcept {
        return bits{1} << (w % word_bits);
    }

    [[nodiscard]] bool any_idle() const noexcept;
    [[nodiscard]] bool claim(std::size_t w) noexcept;
    [[nodiscard]] std::optional<std::size_t> claim_any() noexcept;
    bool uncount() noexcept;

    std::size_t regular_;
    std::size_t workers_;
    std::size_t words_;
    alignas(64) typename Env::template atomic<std::uint32_t> searching_{0};
    std::array<typename Env::template atomic<bits>, worker_limit / word_bits> idle_{};
};

// ---------------------------------------------------------------------------------------------

template <class Env>
idle_set<Env>::idle_set(std::size_t workers, std::size_t extra) noexcept
    : regular_(workers), workers_(workers + extra), words_((workers_ + word_bits - 1) / word_bits) {
    WEFT_CHECK(workers >= 1 && workers_ <= worker_limit, "a runtime has 1 to 256 workers");
}

template <class Env>
inline std::optional<std::size_t> idle_set<Env>::notify_one() noexcept {
    if (!mutated<Env>(mutation::notify_without_fence)) Env::seq_cst_fence();  // P1: the item first
    for (;;) {
        if (searching_.load(std::memory_order_relaxed) != 0) return std::nullopt;  // P1: I3 serves
        if (!any_idle()) return std::nullopt;                                      // P1
        std::uint32_t none = 0;
        // Why from zero only: one wake-up at a time, the woken one passes it on.
        if (!searching_.compare_exchange_strong(none, 1, std::memory_order_relaxed,  // P1, I2
                                                std::memory_order_relaxed)) {  // P1: I3 serves
            return std::nullopt;
        }
        if (const auto claimed = claim_any()) return claimed;
        uncount();
        if (mutated<Env>(mutation::idle_undo_without_recheck)) return std::nullopt;
        if (!mutated<Env>(mutation::idle_undo_without_fence)) Env::seq_cst_fence();  // P2
    }
}

template <class Env>
template <class Wake>
void idle_set<Env>::notify_all(Wake&& wake) noexcept {
    Env::seq_cst_fence();  // P1: the caller's item first
    bool look_again = false;
    for (std::size_t w = 0; w < workers_; ++w) {
        const bits word = idle_[w / word_bits].load(std::memory_order_relaxed);  // P1
        if ((word & bit_of(w)) == 0) continue;
        searching_.fetch_add(1, std::memory_order_relaxed);  // I2: counted before it is claimed
        if (claim(w)) {
            wake(w);
        } else if (uncount()) {
            look_again = true;
        }
    }
    if (!look_again) return;
    if (const auto claimed = notify_one()) wake(*claimed);  // I3; its fence is P2
}

template <class Env>
template <class Rescan>
bool idle_set<Env>::announce_idle(std::size_t w, bool was_searching, Rescan&& rescan) noexcept {
    bool found = false;
    const bool early = mutated<Env>(mutation::park_rescan_before_announce);
    if (early) found = std::forward<Rescan>(rescan)();
    announce_idle(w, was_searching);
    if (early || mutated<Env>(mutation::park_skip_rescan)) return found;
    return std::forward<Rescan>(rescan)();
}

template <class Env>
inline bool idle_set<Env>::any_idle() const noexcept {
    for (std::size_t i = 0; i < words_; ++i) {
        if (idle_[i].load(std::memory_order_relaxed) != 0) return true;  // P1, P2, P4
    }
    return false;
}

template <class Env>
bool idle_set<Env>::claim(std::size_t w) noexcept {
    const bits before = idle_[w / word_bits].fetch_and(
        ~bit_of(w), std::memory_order_acquire);  // P3, I1: clears once
    return (before & bit_of(w)) != 0 || mutated<Env>(mutation::idle_claims_twice);
}

template <class Env>
std::optional<std::size_t> idle_set<Env>::claim_any() noexcept {
    for (std::size_t i = 0; i < words_; ++i) {
        bits left = idle_[i].load(std::memory_order_relaxed);  // a hint: claim() decides
        while (left != 0) {
            const std::size_t w = i * word_bits + static_cast<std::size_t>(std::countr_zero(left));
            if (claim(w)) return w;
            left &= left - 1;
        }
    }
    return std::nullopt;
}

/// True: nobody is counted any more, and the caller looks again (I3).
template <class Env>
bool idle_set<Env>::uncount() noexcept {
    // Release keeps the searcher's last look before the count that notifiers read; no data edge.
    const auto before = searching_.fetch_sub(1, std::memory_order_release);  // P1
    WEFT_DCHECK(before != 0, "a worker stopped searching that was not counted");
    return before == 1;
}

template <class Env>
bool idle_set<Env>::begin_search() noexcept {
    const auto now = searching_.load(std::memory_order_relaxed);  // a bound, not an edge
    if (2 * now >= regular_) return false;
    if (mutated<Env>(mutation::idle_counts_by_store)) {
        searching_.store(now + 1, std::memory_order_relaxed);  // I2: broken by the planted fault
        return true;
    }
    searching_.fetch_add(1, std::memory_order_relaxed);  // I2
    return true;
}

template <class Env>
bool idle_set<Env>::finish_search_found() noexcept {
    const bool last = uncount();
    return last && !mutated<Env>(mutation::last_searcher_rule);
}

template <class Env>
bool idle_set<Env>::retire(bool was_searching) noexcept {
    if (!was_searching || mutated<Env>(mutation::idle_retires_silently)) return false;
    return finish_search_found();  // I3: as if it had found something
}

template <class Env>
void idle_set<Env>::announce_idle(std::size_t w, bool was_searching) noexcept {
    WEFT_DCHECK(w < workers_, "no such worker");
    const bits before =
        idle_[w / word_bits].fetch_or(bit_of(w), std::memory_order_release);  // P1, P3, I1: set
    WEFT_DCHECK((before & bit_of(w)) == 0, "a worker announced itself idle twice");
    static_cast<void>(before);
    if (was_searching) uncount();
    if (!mutated<Env>(mutation::park_without_fence)) Env::seq_cst_fence();  // P1: then re-scan
}

template <class Env>
retract_result idle_set<Env>::retract_idle(std::size_t w) noexcept {
    const bits before =
        idle_[w / word_bits].fetch_and(~bit_of(w), std::memory_order_relaxed);  // I1: clears once
    return (before & bit_of(w)) != 0 ? retract_result::retracted : retract_result::claimed;
}

template <class Env>
std::size_t idle_set<Env>::searching() const noexcept {
    return searching_.load(std::memory_order_relaxed);  // hint: no edge
}

template <class Env>
std::size_t idle_set<Env>::idle_count() const noexcept {
    int count = 0;
    for (const auto& word : idle_) {
        count += std::popcount(word.load(std::memory_order_relaxed));  // hint: no edge
    }
    return static_cast<std::size_t>(count);
}

template <class Env>
bool idle_set<Env>::is_idle(std::size_t w) const noexcept {
    return (idle_[w / word_bits].load(std::memory_order_relaxed) & bit_of(w)) != 0;  // hint
}

extern template class idle_set<real_environment>;

}  // namespace weft::detail
