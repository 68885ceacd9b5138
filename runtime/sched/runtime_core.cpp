// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "sched/runtime_core.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

#include <algorithm>
#include <csignal>
#include <new>
#include <stdexcept>
#include <thread>
#include <utility>

#include "ports/live_runtimes.hpp"
#include "ports/this_worker.hpp"
#include "weft/error.hpp"
#include "weft/trace/session.hpp"

namespace weft::detail {

namespace {

constinit real_environment::atomic<std::uint64_t> next_id{1};

std::uint64_t next_task_id(worker* mine) noexcept {
    constexpr std::uint64_t block = 64;
    if (mine == nullptr) return next_id.fetch_add(1, std::memory_order_relaxed);  // unique, no edge
    return mine->draw_id(
        [] {
            return next_id.fetch_add(block, std::memory_order_relaxed);  // unique, no edge
        },
        block);
}

constexpr nanoseconds longest_idle_spin{1'000'000};
constexpr nanoseconds usual_spin_alone{20'000};
constexpr nanoseconds usual_spin{5'000};

unsigned checked_workers(unsigned wanted) {
    if (wanted == 0) return usable_cores();
    if (wanted > idle_set<real_environment>::worker_limit) {
        throw std::invalid_argument("weft: a runtime has at most 256 workers");
    }
    return wanted;
}

/// One worker keeps a strict order, which a second one beside it would break.
unsigned checked_capacity(unsigned workers, unsigned rescue) {
    constexpr unsigned limit = idle_set<real_environment>::worker_limit;
    return workers == 1 ? 1 : workers + std::min(rescue, limit - workers);
}

/// None where workers have to share cores: who looks around would keep another from its own.
nanoseconds checked_spin(std::optional<nanoseconds> given, unsigned workers) {
    const nanoseconds wanted = given.value_or(workers == 1 ? usual_spin_alone : usual_spin);
    if (wanted < nanoseconds::zero() || wanted > longest_idle_spin) {
        throw std::invalid_argument("weft: idle_spin is at least zero and at most a millisecond");
    }
    return workers > usable_cores() ? nanoseconds::zero() : wanted;
}

/// A look at the neighbours first pays from three workers on, and up to 128: with more of them the
/// thieves are there soonest when their lines are the slowest (docs/decisions/0017).
cache_map map_for(const runtime_options& options) {
    const unsigned workers = checked_workers(options.workers);
    return workers > 2 && workers <= 128 ? cache_map::of_this_thread() : cache_map();
}

}  // namespace

struct runtime_core::signal_mask {
    sigset_t blocked;
};

namespace {

/// Workers take no signals: a program's own threads keep the right to theirs.
class blocked_signals {
public:
    explicit blocked_signals(sigset_t& before) noexcept : before_(before) {
        sigset_t all;
        sigfillset(&all);
        for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF}) {
            sigdelset(&all, fault);
        }
        pthread_sigmask(SIG_BLOCK, &all, &before);
    }
    blocked_signals(const blocked_signals&) = delete;
    blocked_signals& operator=(const blocked_signals&) = delete;
    ~blocked_signals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    const sigset_t& before_;
};

void pin_to_core(unsigned index) noexcept {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    auto count = static_cast<unsigned>(CPU_COUNT(&allowed));
    if (count == 0) return;
    unsigned skip = index % count;
    for (std::size_t core = 0; core < CPU_SETSIZE; ++core) {
        if (!CPU_ISSET(core, &allowed) || skip-- != 0) continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(core, &one);
        pthread_setaffinity_np(pthread_self(), sizeof one, &one);
        return;
    }
}

}  // namespace

std::uint64_t unused_task_id() noexcept {
    return next_id.load(std::memory_order_relaxed);  // a hint: no edge
}

runtime_core::runtime_core(const runtime_options& options)
    : runtime_core(options, map_for(options)) {}

runtime_core::runtime_core(const runtime_options& options, cache_map map)
    : regular_(checked_workers(options.workers)),
      capacity_(checked_capacity(regular_, options.rescue_workers)),
      idle_spin_(checked_spin(options.idle_spin, regular_)),
      idle(regular_, capacity_ - regular_),
      places(capacity_, std::move(map)),
      injected(capacity_),
      options_(options),
      thread_name_(options.thread_name),
      program_mask_(std::make_unique<signal_mask>()),
      failures_(std::make_shared<failure_sink>()),
      registry_(capacity_),
      workers_(std::make_unique<std::unique_ptr<worker>[]>(capacity_)) {
    if (options.slow_run < nanoseconds::zero()) {
        throw std::invalid_argument("weft: slow_run is at least zero");
    }
    if (options.report_deadlocks < nanoseconds::zero()) {
        throw std::invalid_argument("weft: report_deadlocks is at least zero");
    }
    prepare_process();
    threads_.reserve(capacity_);
    for (unsigned i = 0; i < regular_; ++i) {
        auto as = is_single() ? worker::role::alone : worker::role::regular;
        workers_[i] = std::make_unique<worker>(*this, i, as, idle_spin_);
    }
    published_.store(regular_, std::memory_order_release);  // K4
    live_runtime::enter(*this);
}

runtime_core::~runtime_core() {
    live_runtime::leave(*this);
    stop_threads();
    while (injectors_.load(std::memory_order_acquire) != 0) {  // K2
        std::this_thread::yield();  // a few instructions of that thread are left
    }
}

void runtime_core::unblock_signals() const noexcept {
    pthread_sigmask(SIG_SETMASK, &program_mask_->blocked, nullptr);
}

void runtime_core::start() {
    trace::start_from_environment();
    blocked_signals none{program_mask_->blocked};
    for (const auto& w : workers()) {
        threads_.emplace_back(options_.stack_size, &enter_thread, w.get());
    }
    watch.start();  // it inherits the blocked signals, and so do rescue workers
    if (options_.dump_signal != 0) dumper.start(options_.dump_signal);
    if (trace::current_statistics().active) await_emitters();
}

/// A recording lacks the creation of the first tasks if they are there before the workers are.
void runtime_core::await_emitters() noexcept {
    for (;;) {
        std::uint32_t attached = attached_.load(std::memory_order_acquire);  // K3
        if (attached == regular_) return;
        env::futex_wait(attached_, attached, time_point::max());
    }
}

void runtime_core::start_rescue_worker() {
    const auto index = static_cast<unsigned>(workers().size());
    if (workers_[index] == nullptr) {  // else the last try made it, and peers may have seen it
        workers_[index] = std::make_unique<worker>(*this, index, worker::role::rescue, idle_spin_);
    }
    // Before the thread, which must find itself among the workers.
    published_.store(index + 1, std::memory_order_release);  // K4
    try {
        threads_.emplace_back(options_.stack_size, &enter_thread, workers_[index].get());
    } catch (...) {
        published_.store(index, std::memory_order_release);  // K4
        throw;
    }
}

void runtime_core::enter_thread(void* argument) noexcept {
    auto& mine = *static_cast<worker*>(argument);
    static_cast<runtime_core&>(mine.runtime()).thread_body(mine, mine.index());
}

void runtime_core::thread_body(worker& mine, unsigned index) noexcept {
    std::string name = thread_name_.substr(0, 11) + "-" + std::to_string(index);
    pthread_setname_np(pthread_self(), name.c_str());
    // Fact: the kernel delays timed waits by up to 50 us to merge them; a task runtime has merged
    // its timers already.
    prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
    if (options_.pin && index < regular_) pin_to_core(index);
    set_this_worker(&mine);
    mine.processor_time.adopt_this_thread();
    trace::attach(mine.trace, trace::emitter_kind::worker, index, name);
    attached_.fetch_add(1, std::memory_order_release);  // K3
    env::futex_wake(attached_, 1);
    if (options_.on_worker_start != nullptr) {
        options_.on_worker_start(index, options_.hook_context);
    }
    mine.loop();
    if (options_.on_worker_stop != nullptr) options_.on_worker_stop(index, options_.hook_context);
    trace::detach(mine.trace);
    set_this_worker(nullptr);
}

void runtime_core::stop_threads() noexcept {
    watch.stop();
    dumper.stop();
    stopping_.store(true, std::memory_order_release);  // K1
    idle.notify_all([this](std::size_t w) { workers_[w]->unpark(); });
    for (const auto& w : workers().subspan(regular_)) w->unpark();  // who rests is in no set
    for (worker_thread& t : threads_) t.join();
    threads_.clear();
}

worker* runtime_core::own_worker(worker_port* here) noexcept {
    if (here == nullptr || &here->runtime() != this) return nullptr;
    return static_cast<worker*>(here);
}

void runtime_core::inject(runnable& ready) noexcept {
    injectors_.fetch_add(1, std::memory_order_relaxed);  // K2: queueing the task publishes it
    try {
        injected.push(ready);
    } catch (const std::bad_alloc&) {
        spilled.push(ready);
    }
    notify_one();
    injectors_.fetch_sub(1, std::memory_order_release);  // K2: last use of `this`
}

void runtime_core::notify_one() noexcept {
    if (auto claimed = idle.notify_one()) workers_[*claimed]->unpark();
}

void runtime_core::call_one() noexcept {
    if (auto claimed = idle.call_one()) workers_[*claimed]->unpark();
}

void runtime_core::enlist(task_state& task, worker_port* here) {
    refuse_copy();
    worker* const mine = own_worker(here);
    const bool refused = mine == nullptr && closing_.load(std::memory_order_relaxed);  // hint
    task.set_id(next_task_id(mine));
    if (refused || !registry_.add(task, mine != nullptr ? mine->index() : registry_.nobody())) {
        throw runtime_closed();
    }
}

void runtime_core::begin_main(task_state& main) noexcept {
    std::lock_guard guard{context_mutex_};
    static_cast<void>(main.exchange_context(main_context_));
    main.keeps_context = true;
}

void runtime_core::end_main(task_state& main) noexcept {
    const context_ref left = main.exchange_context({});
    context_ref values = task_context::passed_on(left.get());  // destroyed outside the lock
    std::lock_guard guard{context_mutex_};
    std::swap(main_context_, values);
}

void runtime_core::delist(task_state& task, worker_port& here) noexcept {
    WEFT_DCHECK(&here == own_worker(this_worker()), "a task ended on a worker that is not its own");
    registry_.remove(task, static_cast<worker&>(here).index());
}

bool runtime_core::delist_if_unshared(task_state& task, worker_port& here,
                                      std::uint32_t holders) noexcept {
    WEFT_DCHECK(&here == own_worker(this_worker()), "a task ended on a worker that is not its own");
    return registry_.remove_if_unshared(task, static_cast<worker&>(here).index(), holders);
}

runtime_statistics runtime_core::statistics() {
    runtime_statistics sum;
    for (const auto& w : workers()) {
        sum.resumptions += w->counts.resumptions.read();
        sum.steals += w->counts.steals.read();
        sum.stolen += w->counts.stolen.read();
        sum.parks += w->counts.parks.read();
        sum.polls += w->counts.polls.read();
        sum.timers_fired += w->counts.timers.read();
        sum.injected += w->counts.injected.read();
        sum.timers_armed += w->timers().armed();
    }
    sum.timers_fired += watch.counts.timers.read();
    sum.polls += watch.counts.polls.read();
    sum.rescue_workers = static_cast<unsigned>(workers().size()) - regular_;
    sum.live_tasks = registry_.size();
    return sum;
}

}  // namespace weft::detail
