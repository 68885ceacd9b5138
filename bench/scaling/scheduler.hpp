// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The scheduler of runtime/sched as a model: the same phases, the same order of looks, the same
// rules of whom to call, each step with its price. Names are those of the sources, so that the two
// can be read side by side; scheduler.cpp is run.cpp, search.cpp, park.cpp and submit.cpp.
//
// Deliberately not in it: store buffers (the model checker's matter: what a fence is for is assumed
// to hold), the memory allocator, caches of the tasks' own data, cancellation, tracing.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "costs.hpp"
#include "engine.hpp"
#include "machine.hpp"

namespace scaling {

class scheduler;
class worker;

/// Where time goes.
enum class spent_on : std::uint8_t {
    work,
    announce,
    search,
    idle_line,
    injection,
    fence,
    interrupt,
    wake,
    registry,
    poll,
    sleep,
    count
};
constexpr std::size_t spent_kinds = static_cast<std::size_t>(spent_on::count);
extern const std::array<const char*, spent_kinds> spent_names;

/// A runnable of the ready queues.
struct job {
    double work = 0;
    double born = 0;
    int creator = -1;  // in whose list of live tasks it is; -1: in none
    int place = -1;    // the worker whose caches have it; -1: none
    int rounds = 0;
    job* partner = nullptr;
    int runs = 0;
};

/// A child of a when_all, which is also the join of its own children.
struct fork_child {
    fork_child* parent = nullptr;
    std::uint64_t seed = 0;
    int size = 0;
    int left = 0;   // children that have not ended
    int home = -1;  // the worker that began the join
    int last = -1;  // who counted last
    bool shared = false;
    bool taken = false;  // a child went to a thief
};

/// What the workers run.
class program {
public:
    virtual ~program() = default;
    virtual void start(scheduler& runtime) = 0;
    virtual process<nothing> run(worker& on, job& what) = 0;
    virtual process<nothing> run_fork(worker& on, fork_child* what) = 0;
};

/// wait_history.hpp.
struct wait_history {
    double limit = 20'000;
    double began = 0;
    double suspended_until = 0;
    unsigned recent = 0;
    bool lingers = false;
    double begin(double now, bool may_linger);
    void note_look(double before, double now);
    void note(bool was_short);
    void end_asleep(double now);
};

class worker {
public:
    worker(scheduler& runtime, int index);

    process<nothing> loop();
    /// Lets time pass on this core; what others' interrupts took is added.
    delay spend(double ns, spent_on what);

    // submit.cpp
    process<nothing> submit_woken(job& ready);
    process<nothing> submit_back(job& ready);
    process<nothing> notify_one();
    /// The fast path of notify_one alone: what it costs, and whether there is more to do.
    double look_at_idle_set(bool& must_call);
    // fork path
    double push_fork(fork_child* child);
    fork_child* pop_fork(double& taken);

    /// The creator's list of live tasks takes a task in.
    process<nothing> enlist(job& begun);
    /// A task has ended here: its creator's list forgets it.
    process<nothing> delist(job& ended);

    [[nodiscard]] bool has_work() const { return !ready.empty() || !forks.empty() || slot; }
    [[nodiscard]] bool has_surplus() const { return ready.size() > 1 || !forks.empty(); }

    scheduler& core;
    const int index;
    std::deque<job*> ready;
    std::deque<fork_child*> forks;  // front: top, back: bottom
    job* slot = nullptr;
    std::deque<job*> events;  // ready descriptors and due timers of this shard
    bool driving = false;
    bool batch = false;
    shared_line ready_top, ready_bottom, forks_top, forks_bottom;
    shared_line own_line;    // next_slot_, driving_, parker_
    shared_line timer_line;  // the wheel's lock
    shared_line live_line;   // the list of live tasks
    bool biased = true;
    int streak = 0;

    // asleep
    bool asleep = false;
    bool waking = false;
    bool token = false;
    std::uint64_t sleeps = 0;
    std::coroutine_handle<> sleeper;

    double debt = 0;  // ns that interrupts took since the last step
    std::array<double, spent_kinds> spent{};
    std::uint64_t ran = 0, steals = 0, stolen = 0, parks = 0, probes = 0, passes = 0, lost = 0;

private:
    process<bool> step();
    process<bool> run_next_local();
    process<nothing> run(job* next);
    process<nothing> run_stolen(fork_child* next);
    process<nothing> visit(worker& creator);
    process<nothing> look_around();
    process<nothing> before_running();

    process<bool> search();
    process<bool> look_outside();
    process<bool> search_in_passes();
    process<bool> linger();
    process<bool> search_peers(int pass);
    process<bool> steal_from(worker& victim, bool last_pass);
    process<bool> steal_ready(worker& victim);
    process<bool> steal_fork(worker& victim, bool is_last);
    process<bool> take_injected();
    process<bool> begin_search();
    process<nothing> leave_search();
    process<bool> drive_for(worker& helper);
    process<bool> peers_have(bool surplus);
    double probe_cost(worker& victim, bool with_slot);
    double looks_at(worker& victim, bool with_slot);
    void order_victims(int pass);
    void add_victims(bool near_ones);
    [[nodiscard]] bool looks_near();
    [[nodiscard]] bool is_near(const worker& other) const;
    [[nodiscard]] bool comes_first(const worker& victim) const;
    process<bool> steal_near_ready();
    double bring_here(int place) const;

    process<nothing> park();
    process<nothing> sleep_until_something();
    process<bool> wait_for_events(double limit);
    process<nothing> call_watch();
    process<nothing> unpark(worker& target);
    process<nothing> announce_idle();

    unsigned next_random();

    // What a search has found: one of the two, run by the caller.
    job* found = nullptr;
    fork_child* found_fork = nullptr;
    bool searching_ = false;
    bool owes_watch_ = false;
    int slot_streak_ = 0;
    unsigned tick_ = 0;
    double last_look_ = 0;
    double watch_interval_ = 1e6;
    unsigned random_;
    int forks_popped_ = 0;
    wait_history waits_;
    std::vector<int> victims_;
};

class scheduler {
public:
    scheduler(const costs& price, const variant& rules, int workers, int l3_cores, int socket_cores,
              unsigned seed);
    void run(program& what, double limit);
    void finish() { done = true; }
    /// The first task of a program, from the thread that waits for it.
    void begin_with(job& first);

    /// A full fence on every core that runs a worker: membarrier(2) by `caller`.
    process<nothing> heavy_fence(worker& caller);
    /// From a thread that is no worker.
    process<nothing> inject(job& ready);
    /// An event at a shard, now: wakes its worker if that sleeps.
    void raise(int shard, job& ready);
    void wake(worker& target, double after);
    [[nodiscard]] int idle_count() const { return static_cast<int>(idle.count()); }
    [[nodiscard]] bool work_is_queued() const;

    engine clock;
    costs price;
    variant rules;
    std::vector<std::unique_ptr<worker>> workers;
    machine hardware;
    program* what = nullptr;
    unsigned seed;

    /// idle_set: one for all, or one for each L3 with a line that says which have idle workers.
    struct idle_group {
        int searching = 0;
        int idle_count = 0;
        int members = 0;
        shared_line line;       // searching_ and the idle bits
        shared_line bits_line;  // the bits, where they have a line of their own
    };
    [[nodiscard]] idle_group& group_of(int worker) {
        return groups[rules.idle_groups != 0 ? static_cast<std::size_t>(hardware.l3_of(worker))
                                             : 0];
    }
    [[nodiscard]] shared_line& bits_of(int worker) {
        idle_group& group = group_of(worker);
        return rules.split_idle != 0 ? group.bits_line : group.line;
    }
    /// The idle worker that `by` calls, from its own group if there is one; -1: none.
    [[nodiscard]] int choose_idle(int by);
    /// Both give what the change of the summary costs, where there is one.
    double mark_idle(int worker);
    double mark_awake(int worker, int by);
    [[nodiscard]] int searching() const;
    std::vector<idle_group> groups;
    core_set idle;
    shared_line summary_line;
    bool watched = false;
    shared_line watched_line;
    std::deque<job*> injected;
    shared_line tickets_line;
    shared_line task_id_line;
    bool has_descriptors = false;
    bool done = false;

    std::uint64_t wakes = 0, barriers = 0, searches = 0, refused = 0, retries = 0;
    double barrier_waited = 0, barrier_free = 0;
    int barriers_open = 0;
    int most_searching = 0;
    double began = 0;  // when all workers were asleep and the program began

private:
    std::vector<process<nothing>> starter_;
};

}  // namespace scaling
