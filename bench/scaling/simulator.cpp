// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// simulator --workload NAME --workers N [--size S] [--seed S] [--l3 CORES] [--socket CORES]
//           [--limit MS] [--check 1] [NAME=VALUE]...
// One run; prints one line of JSON. NAME is a cost or a switch of costs.hpp. Status 1: tasks were
// lost, run twice, or left lying while workers slept.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "workload.hpp"

namespace scaling {
namespace {

struct arguments {
    std::string workload = "fib";
    int workers = 2, size = 0, l3_cores = 8, socket_cores = 128;
    unsigned seed = 1;
    double limit = 60'000;  // ms
    bool check = false;
    costs price;
    variant rules;
};

[[noreturn]] void refuse(std::string_view what) {
    std::fprintf(stderr, "simulator: '%.*s'?\n", static_cast<int>(what.size()), what.data());
    std::exit(2);
}

void set_option(arguments& given, std::string_view name, const char* value) {
    if (name == "--workload")
        given.workload = value;
    else if (name == "--workers")
        given.workers = std::atoi(value);
    else if (name == "--size")
        given.size = std::atoi(value);
    else if (name == "--seed")
        given.seed = static_cast<unsigned>(std::atoi(value));
    else if (name == "--l3")
        given.l3_cores = std::atoi(value);
    else if (name == "--socket")
        given.socket_cores = std::atoi(value);
    else if (name == "--limit")
        given.limit = std::atof(value);
    else if (name == "--check")
        given.check = std::atoi(value) != 0;
    else
        refuse(name);
}

arguments parse(int argc, char** argv) {
    arguments given;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word.starts_with("--")) {
            if (++i == argc) refuse(word);
            set_option(given, word, argv[i]);
            continue;
        }
        const auto equals = word.find('=');
        if (equals == word.npos) refuse(word);
        const auto name = word.substr(0, equals);
        const double value = std::atof(argv[i] + equals + 1);
        if (!set_number(given.price, cost_names(), name, value) &&
            !set_number(given.rules, variant_names(), name, value)) {
            refuse(name);
        }
    }
    if (given.workers < 1 || given.workers > 256) refuse("--workers");
    return given;
}

/// idle_set's claim, looked at from outside: while more is queued than the workers that are awake
/// are about to run, and a worker is idle, somebody is on the way to it.
struct watcher {
    double stranded = 0;  // ns, the longest time for which the claim did not hold
    bool stuck = false;

    process<nothing> watch(scheduler& runtime, const workload& load) {
        constexpr double interval = 10'000;
        double since = -1;
        while (!runtime.done) {
            co_await delay{runtime.clock, interval};
            const bool all_asleep = std::ranges::all_of(
                runtime.workers, [](const auto& w) { return w->asleep && !w->waking; });
            const bool queued = runtime.work_is_queued();
            if (runtime.began > 0 && all_asleep && (queued || load.expected_outside == 0) &&
                runtime.idle_count() == static_cast<int>(runtime.workers.size())) {
                stuck = true;
                runtime.finish();
            }
            const bool surplus = !runtime.injected.empty() ||
                                 std::ranges::any_of(runtime.workers, [](const auto& w) {
                                     return w->has_surplus();
                                 });
            const bool claim_broken = surplus && runtime.idle.any() && runtime.searching() == 0;
            if (!claim_broken)
                since = -1;
            else if (since < 0)
                since = runtime.clock.now();
            if (since >= 0) stranded = std::max(stranded, runtime.clock.now() - since);
        }
        co_return {};
    }
};

double percentile(std::vector<double>& sorted, double share) {
    if (sorted.empty()) return 0;
    return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

void print_spent(const scheduler& runtime) {
    std::printf("\"spent\": {");
    for (std::size_t kind = 0; kind < spent_kinds; ++kind) {
        double sum = 0;
        for (const auto& w : runtime.workers) sum += w->spent[kind];
        std::printf("%s\"%s\": %.0f", kind == 0 ? "" : ", ", spent_names[kind], sum);
    }
    std::printf("}");
}

template <class Member>
double sum_of(const scheduler& runtime, Member member) {
    double sum = 0;
    for (const auto& w : runtime.workers) sum += static_cast<double>((*w).*member);
    return sum;
}

void print(const arguments& given, const scheduler& runtime, workload& load, const watcher& seen,
           bool lost) {
    std::ranges::sort(load.latencies);
    std::printf("{\"workload\": \"%s\", \"workers\": %d, \"seed\": %u, ", given.workload.c_str(),
                given.workers, given.seed);
    std::printf("\"time\": %.0f, \"work\": %.0f, \"created\": %.0f, \"ran\": %.0f, ",
                runtime.clock.now() - runtime.began, load.work, static_cast<double>(load.created),
                static_cast<double>(load.ran));
    std::printf(
        "\"wakes\": %.0f, \"barriers\": %.0f, \"searches\": %.0f, \"refused\": %.0f, "
        "\"retries\": %.0f, \"most_searching\": %.0f, ",
        static_cast<double>(runtime.wakes), static_cast<double>(runtime.barriers),
        static_cast<double>(runtime.searches), static_cast<double>(runtime.refused),
        static_cast<double>(runtime.retries), static_cast<double>(runtime.most_searching));
    std::printf(
        "\"parks\": %.0f, \"probes\": %.0f, \"passes\": %.0f, \"steals\": %.0f, "
        "\"stolen\": %.0f, \"lost_races\": %.0f, ",
        sum_of(runtime, &worker::parks), sum_of(runtime, &worker::probes),
        sum_of(runtime, &worker::passes), sum_of(runtime, &worker::steals),
        sum_of(runtime, &worker::stolen), sum_of(runtime, &worker::lost));
    std::printf(
        "\"p50\": %.0f, \"p99\": %.0f, \"barrier_wait\": %.0f, \"idle_line_wait\": %.0f, "
        "\"tickets_wait\": %.0f, ",
        percentile(load.latencies, 0.5), percentile(load.latencies, 0.99), runtime.barrier_waited,
        runtime.groups.front().line.waited, runtime.tickets_line.waited);
    std::printf("\"stranded\": %.0f, \"stuck\": %s, \"lost\": %s, \"events\": %.0f, ",
                seen.stranded, seen.stuck ? "true" : "false", lost ? "true" : "false",
                static_cast<double>(runtime.clock.events()));
    print_spent(runtime);
    std::printf("}\n");
}

int simulate(const arguments& given) {
    auto load = make_workload(given.workload, given.size, given.seed);
    if (!load) refuse(given.workload);
    scheduler runtime(given.price, given.rules, given.workers, given.l3_cores, given.socket_cores,
                      given.seed);
    watcher seen;
    auto watching = seen.watch(runtime, *load);
    if (given.check) watching.start_at(runtime.clock, 0);
    runtime.run(*load, given.limit * 1e6);
    const bool counts = given.workload == "ping" || load->created == load->ran;
    const bool lost = !runtime.done || seen.stuck || !counts || load->ran_twice != 0;
    print(given, runtime, *load, seen, lost);
    constexpr double longest_stranding = 500'000;
    return lost || seen.stranded > longest_stranding ? 1 : 0;
}

}  // namespace
}  // namespace scaling

int main(int argc, char** argv) { return scaling::simulate(scaling::parse(argc, argv)); }
