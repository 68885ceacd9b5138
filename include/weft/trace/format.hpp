// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What one trace record is: the event numbers and the vocabulary of their fields. `layout_of` (see
// layout.hpp) says which fields an event has. A record is two 64-bit words:
//   word 0   ticks << 8 | event    (56-bit stamp: the collector restores the upper bits)
//   word 1   payload               (fields from the low bits up, as `layout_of` lists them)
// Numbers in this file are written to disk: never reuse one, add new ones at the end of a group.
//
// Task ids are 48 bits and drawn in blocks from one process-wide counter, so they are dense and
// name no worker: at 10 million tasks a second they last 325 days. (40 bits with 30 per worker, the
// rejected layout, wraps after 107 seconds at that rate.) Ids of coroutine types are 16 bits.
//
// "The current task" of a stream is the task of its last task_run that no task_suspend or
// task_finish followed; events about it carry no id. A task_run without a suspend before it ends
// the slice of the task that ran (an inline switch).
#pragma once

#include <cstdint>

namespace weft::trace {

using task_id = std::uint64_t;
inline constexpr unsigned task_id_bits = 48;
inline constexpr std::uint32_t other_type =
    0xffff;  // more than 65534 coroutine types: all the rest
inline constexpr std::uint32_t no_site = 0;
inline constexpr unsigned no_worker = 0xff;

/// Bits of an emitter's mask; every event belongs to exactly one.
namespace bits {
inline constexpr std::uint32_t counters = 1u << 0;
inline constexpr std::uint32_t tasks = 1u << 1;
inline constexpr std::uint32_t full = 1u << 2;           // queues, timers, I/O
inline constexpr std::uint32_t inline_awaits = 1u << 3;  // every child coroutine
inline constexpr std::uint32_t user = 1u << 4;
inline constexpr std::uint32_t clock_monotonic = 1u << 31;  // not a level: no usable tick counter
}  // namespace bits

enum class event : std::uint8_t {
    none = 0,
    task_create = 1,
    task_run = 2,
    task_suspend = 3,
    task_finish = 4,
    task_cancel = 5,
    task_wake = 6,
    short_runs = 8,
    steal = 16,
    search = 17,
    park = 18,
    unpark = 19,
    notify = 20,
    inject = 21,
    queues = 22,
    timer_fire = 32,
    timer_arm = 33,
    io_submit = 34,
    io_ready = 35,
    pool_submit = 48,
    pool_start = 49,
    pool_end = 50,
    block_enter = 51,
    block_exit = 52,
    long_run = 53,
    off_cpu = 54,
    sample = 55,
    span_begin = 64,
    span_end = 65,
    counter = 66,
    mark = 67,
    flow = 68,
};

/// Where a worker found the task that it runs.
enum class run_source : std::uint8_t {
    next_slot,
    local,
    stolen,
    injected,
    yielded,
    inline_call,
    timer,
    io,
};
enum class suspend_reason : std::uint8_t {
    unknown,
    yield,
    join,
    mutex,
    semaphore,
    channel_send,
    channel_receive,
    event,
    timer,
    io_read,
    io_write,
    io_accept,
    io_connect,
    blocking_pool,
    external,
    condition,
    barrier,
    queue,
    process,
    signal,
    file,
};
enum class finish_result : std::uint8_t { value, exception, cancelled };
enum class cancel_cause : std::uint8_t { request, scope, timeout, sibling, shutdown, parent };
/// Through which queue a woken task will reach a worker.
enum class wake_via : std::uint8_t { next_slot, local, injected, handed_over };
enum class park_reason : std::uint8_t { idle, poll, shutdown };
enum class unpark_cause : std::uint8_t { woken, timer, io, timeout, spurious, shutdown };
enum class notify_reason : std::uint8_t { work, last_searcher, timer, shutdown };
enum class io_operation : std::uint8_t { read, write, accept, connect, poll };

}  // namespace weft::trace
