// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Workloads of tasks: one producer, bursts, pairs, events at every shard.
#include "workload.hpp"

#include <cmath>

namespace scaling {

std::uint64_t random_numbers::next() {  // splitmix64: G. Steele et al., OOPSLA 2014
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
double random_numbers::uniform() {
    return (static_cast<double>(next() >> 11) + 0.5) / 9007199254740992.0;
}

process<nothing> workload::run(worker&, job&) { co_return {}; }
process<nothing> workload::run_fork(worker&, fork_child*) { co_return {}; }

namespace {

/// Tasks that run once and end; `count` of them end the program.
class task_program : public workload {
protected:
    task_program(std::uint64_t count) : left_(count) {}

    job& make(double ns) {
        job& made = jobs_.emplace_back();
        made.work = ns;
        ++created;
        return made;
    }
    /// create_task on a worker.
    process<nothing> create(worker& on, job& made) {
        if (++ids_drawn_ % 64 == 0) {
            co_await on.spend(on.core.hardware.change(on.core.task_id_line, on.index),
                              spent_on::registry);
        }
        co_await on.enlist(made);
        co_await on.spend(on.core.price.create, spent_on::work);
        made.born = on.core.clock.now();
        made.place = on.index;
        co_await on.submit_back(made);
        co_return {};
    }
    process<nothing> run_task(worker& on, job& what) {
        if (what.runs++ != 0) ++ran_twice;
        co_await on.spend(what.work, spent_on::work);
        work += what.work;
        co_await on.delist(what);
        ++ran;
        latencies.push_back(on.core.clock.now() - what.born);
        if (--left_ == 0) on.core.finish();
        co_return {};
    }
    std::uint64_t left_;
    std::deque<job> jobs_;

private:
    std::uint64_t ids_drawn_ = 0;
};

/// One task creates all the others.
class one_producer final : public task_program {
public:
    one_producer(int count, double ns, bool per_worker)
        : task_program(0), count_(count), ns_(ns), per_worker_(per_worker) {}
    void start(scheduler& runtime) override {
        if (per_worker_) count_ *= static_cast<int>(runtime.workers.size());
        left_ = static_cast<std::uint64_t>(count_);
        runtime.begin_with(producer_);
    }
    process<nothing> run(worker& on, job& what) override {
        if (&what != &producer_) {
            co_await run_task(on, what);
            co_return {};
        }
        for (int i = 0; i < count_; ++i) co_await create(on, make(ns_));
        co_return {};
    }

private:
    int count_;
    double ns_;
    bool per_worker_;
    job producer_;
};

/// Every `period` a timer of worker 0 or a foreign thread makes four tasks for each worker.
class bursts final : public task_program {
public:
    bursts(int count, bool foreign) : task_program(0), count_(count), foreign_(foreign) {}
    void start(scheduler& runtime) override {
        per_burst_ = 4 * static_cast<int>(runtime.workers.size());
        left_ = static_cast<std::uint64_t>(count_) * static_cast<std::uint64_t>(per_burst_);
        expected_outside = count_;
        source_.push_back(tick(runtime));
        source_.back().start_at(runtime.clock, runtime.clock.now());
    }
    process<nothing> run(worker& on, job& what) override {
        if (&what != &generator_) {
            co_await run_task(on, what);
            if (--in_burst_ == 0) lengths_.push_back(on.core.clock.now() - began_);
            if (left_ == 0) latencies = lengths_;
            co_return {};
        }
        for (int i = 0; i < per_burst_; ++i) co_await create(on, make(task_ns));
        co_return {};
    }

private:
    static constexpr double period = 5e6;
    static constexpr double task_ns = 20'000;

    process<nothing> tick(scheduler& runtime) {
        for (int i = 0; i < count_; ++i) {
            began_ = runtime.clock.now();
            in_burst_ = per_burst_;
            --expected_outside;
            if (!foreign_) runtime.raise(0, generator_);
            for (int k = 0; foreign_ && k < per_burst_; ++k) {
                job& made = make(task_ns);
                made.born = runtime.clock.now();
                co_await delay{runtime.clock, runtime.price.create};
                co_await runtime.inject(made);
            }
            co_await delay{runtime.clock, period};
        }
        co_return {};
    }
    int count_;
    bool foreign_;
    int per_burst_ = 0;
    int in_burst_ = 0;
    double began_ = 0;
    job generator_;
    std::vector<double> lengths_;
    std::vector<process<nothing>> source_;
};

/// Two pairs for each worker; each partner wakes the other in turn.
class pairs final : public task_program {
public:
    explicit pairs(int rounds) : task_program(0), rounds_(rounds) {}
    void start(scheduler& runtime) override {
        count_ = 2 * static_cast<int>(runtime.workers.size());
        left_ = static_cast<std::uint64_t>(count_);
        runtime.begin_with(producer_);
    }
    process<nothing> run(worker& on, job& what) override {
        if (&what == &producer_) {
            for (int i = 0; i < count_; ++i) {
                job& first = make(turn_ns);
                job& second = make(turn_ns);
                first.partner = &second;
                second.partner = &first;
                first.rounds = second.rounds = rounds_;
                co_await create(on, first);
            }
            co_return {};
        }
        co_await on.spend(what.work, spent_on::work);
        work += what.work;
        ++ran;
        if (--what.rounds >= 0) {
            job& other = *what.partner;
            co_await on.submit_woken(other);
        } else if (--left_ == 0) {
            on.core.finish();
        }
        co_return {};
    }

private:
    static constexpr double turn_ns = 60;
    int rounds_;
    int count_ = 0;
    job producer_;
};

/// Poisson arrivals at every shard; the share of a worker's time that they need is `load`.
class echo final : public task_program {
public:
    echo(int per_shard, double load, unsigned seed)
        : task_program(0), per_shard_(per_shard), load_(load), seed_(seed) {}
    void start(scheduler& runtime) override {
        runtime.has_descriptors = true;
        const int shards = static_cast<int>(runtime.workers.size());
        left_ = static_cast<std::uint64_t>(shards) * static_cast<std::uint64_t>(per_shard_);
        expected_outside = static_cast<int>(left_);
        for (int s = 0; s < shards; ++s) sources_.push_back(arrivals(runtime, s));
        for (auto& source : sources_) source.start_at(runtime.clock, runtime.clock.now());
    }
    process<nothing> run(worker& on, job& what) override {
        co_await run_task(on, what);
        co_return {};
    }

private:
    static constexpr double request_ns = 4000;

    process<nothing> arrivals(scheduler& runtime, int shard) {
        random_numbers numbers(seed_ * 1000003u + static_cast<unsigned>(shard));
        for (int i = 0; i < per_shard_; ++i) {
            const double pause = -std::log(numbers.uniform()) * request_ns / load_;
            co_await delay{runtime.clock, pause};
            job& arrived = make(request_ns);
            arrived.born = runtime.clock.now();
            --expected_outside;
            runtime.raise(shard, arrived);
        }
        co_return {};
    }
    int per_shard_;
    double load_;
    unsigned seed_;
    std::vector<process<nothing>> sources_;
};

}  // namespace

std::unique_ptr<workload> make_workload(std::string_view name, int size, unsigned seed) {
    const auto sized = [size](int usual) { return size > 0 ? size : usual; };
    if (name == "tiny") return std::make_unique<one_producer>(sized(20'000), 1000, false);
    if (name == "many") return std::make_unique<one_producer>(sized(100'000), 10, false);
    if (name == "large") return std::make_unique<one_producer>(sized(4), 1e6, true);
    if (name == "burst") return std::make_unique<bursts>(sized(20), false);
    if (name == "inject") return std::make_unique<bursts>(sized(20), true);
    if (name == "ping") return std::make_unique<pairs>(sized(2000));
    if (name == "echo") return std::make_unique<echo>(sized(300), 0.3, seed);
    if (name == "echo_busy") return std::make_unique<echo>(sized(300), 0.7, seed);
    return make_fork_join(name, size, seed);
}

}  // namespace scaling
