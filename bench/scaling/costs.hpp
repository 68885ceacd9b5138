// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What an operation costs, in nanoseconds, and which variant of the protocol is simulated. Both are
// tables of named numbers, so that the command line and simulate.py set any of them. Where each
// figure comes from is in docs/scaling.md. The defaults are the profile `server`.
#pragma once

#include <cstring>
#include <span>
#include <string_view>

namespace scaling {

struct costs {
    // A cache line's way between two cores.
    double line_near = 25;     // same L3
    double line_far = 105;     // another L3 of the socket
    double line_remote = 195;  // another socket
    double first_share = 0.5;  // of a transfer: how long the first reader keeps others waiting
    double read_share = 0.05;  // the same for each later reader
    double store_share = 0.3;  // of a transfer: what a plain store costs through the store buffer
    double cached_read = 1.0;
    double local_rmw = 5.2;
    double fence = 13;  // sequentially consistent, with a store before it
    // The kernel.
    double membarrier_call = 112;
    double membarrier_scan = 2;    // a core that it looks at
    double ipi_lines = 1.5;        // transfers per interrupted core: its queue, its answer
    double ipi_wait = 1200;        // until the last one has answered
    double ipi_taken = 900;        // what the interrupted core loses
    double membarrier_serial = 1;  // one at a time in the whole machine, as from Linux 6.8 on
    double wake_call = 1700;
    double wake_latency = 5000;  // from the call until the sleeper runs
    double sleep_call = 900;     // to go to sleep
    double timer_late = 1000;
    double poll_call = 120;
    double poll_event = 350;
    double clock_read = 20;
    double pause = 45;
    // The runtime.
    double call = 13.6;       // a fork-join call
    double announce = 0.9;    // a look whether to call a peer
    double share_level = 30;  // a join that is shared
    double make_runnable = 30;
    double probe = 5;         // a look at a peer whose lines are cached
    double answer_wait = 0;   // until a victim looks for requests, beside one call
    double turn = 12;         // one turn of the loop
    double create = 110;      // create a task and queue it
    double finish = 60;       // end a task on its creator
    double create_lock = 20;  // the critical section of the list of live tasks
    // Lines of its own that a task takes along to where it runs, one after the other. None by
    // default: what the scheduler itself does is what counts here.
    double task_lines = 0;
};

struct variant {
    double rescan = 1;         // look at every source between announcing and sleeping
    double last_searcher = 1;  // the last searcher that found something calls the next
    double steal_fence = 0;    // 0: membarrier; 1: the owner's pop fences; 2: by request
    double park_fence = 0;     // 0: membarrier; 1: the notifier fences; 2: it asks again instead
    double thief_yields = 0;   // a thief passes by while another fences; 2: not in its last pass
    double probe_limit = 0;    // victims of a pass that is not the last; 0: all
    double near_first = 0;     // victims of the own L3 come first; 2: in the first pass only
    double near_chance = 1;    // the share of passes for which near_first and near_ready hold
    double near_least = 1;     // items that a near victim has, to come first
    double near_ready = 0;     // before each pass near ready queues with that many; 0: no such look
    double wake_near = 0;      // an idle worker of the caller's L3 is claimed first
    double search_limit = 0;   // most searchers; 0: half of the workers
    double search_add = 0;     // begin_search adds, without a compare-exchange that can fail, and
                               // may exceed the bound; 2: and takes it back above the bound
    double wake_width = 1;     // searchers below which a notifier calls another one
    double drive_hint = 0;     // read whether a peer's shard has anything before locking it
    double drive_peers = 1;    // the last pass drives the peers' shards
    double split_idle = 0;     // the count of searchers and the idle bits on two lines
    double idle_groups = 0;    // an idle set for each L3
    double announce_first = 0;  // a when_all calls only if its worker had no fork left to steal
    double inject_batch = 1;    // items that one look at the injection queue takes
    double plain_registry = 0;  // no bias in the lists of live tasks
    double steal_forks = 1;     // forks that one steal takes
    double linger = 1;          // decision 0007
    double watch = 1;
};

template <class T>
struct named_number {
    std::string_view name;
    double T::* member;
};

std::span<const named_number<costs>> cost_names();
std::span<const named_number<variant>> variant_names();

/// Sets `name=value` in `table`; false: no such name.
template <class T>
bool set_number(T& table, std::span<const named_number<T>> names, std::string_view name,
                double value) {
    for (const auto& known : names) {
        if (known.name != name) continue;
        table.*known.member = value;
        return true;
    }
    return false;
}

}  // namespace scaling
