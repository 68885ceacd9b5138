// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "costs.hpp"

namespace scaling {

namespace {

constexpr named_number<costs> all_costs[] = {
    {"line_near", &costs::line_near},
    {"line_far", &costs::line_far},
    {"line_remote", &costs::line_remote},
    {"first_share", &costs::first_share},
    {"read_share", &costs::read_share},
    {"store_share", &costs::store_share},
    {"cached_read", &costs::cached_read},
    {"local_rmw", &costs::local_rmw},
    {"fence", &costs::fence},
    {"membarrier_call", &costs::membarrier_call},
    {"membarrier_scan", &costs::membarrier_scan},
    {"ipi_lines", &costs::ipi_lines},
    {"ipi_wait", &costs::ipi_wait},
    {"ipi_taken", &costs::ipi_taken},
    {"membarrier_serial", &costs::membarrier_serial},
    {"wake_call", &costs::wake_call},
    {"wake_latency", &costs::wake_latency},
    {"sleep_call", &costs::sleep_call},
    {"timer_late", &costs::timer_late},
    {"poll_call", &costs::poll_call},
    {"poll_event", &costs::poll_event},
    {"clock_read", &costs::clock_read},
    {"pause", &costs::pause},
    {"call", &costs::call},
    {"announce", &costs::announce},
    {"share_level", &costs::share_level},
    {"make_runnable", &costs::make_runnable},
    {"probe", &costs::probe},
    {"answer_wait", &costs::answer_wait},
    {"turn", &costs::turn},
    {"create", &costs::create},
    {"finish", &costs::finish},
    {"create_lock", &costs::create_lock},
    {"task_lines", &costs::task_lines},
};

constexpr named_number<variant> all_variant[] = {
    {"rescan", &variant::rescan},
    {"last_searcher", &variant::last_searcher},
    {"steal_fence", &variant::steal_fence},
    {"park_fence", &variant::park_fence},
    {"thief_yields", &variant::thief_yields},
    {"probe_limit", &variant::probe_limit},
    {"near_first", &variant::near_first},
    {"near_chance", &variant::near_chance},
    {"near_least", &variant::near_least},
    {"near_ready", &variant::near_ready},
    {"wake_near", &variant::wake_near},
    {"search_limit", &variant::search_limit},
    {"search_add", &variant::search_add},
    {"wake_width", &variant::wake_width},
    {"drive_hint", &variant::drive_hint},
    {"drive_peers", &variant::drive_peers},
    {"split_idle", &variant::split_idle},
    {"idle_groups", &variant::idle_groups},
    {"announce_first", &variant::announce_first},
    {"inject_batch", &variant::inject_batch},
    {"plain_registry", &variant::plain_registry},
    {"steal_forks", &variant::steal_forks},
    {"linger", &variant::linger},
    {"watch", &variant::watch},
};

}  // namespace

std::span<const named_number<costs>> cost_names() { return all_costs; }
std::span<const named_number<variant>> variant_names() { return all_variant; }

}  // namespace scaling
