// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "trace/collector.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "trace/chunk_encoding.hpp"
#include "trace/clock.hpp"

namespace weft::detail {

namespace {

constexpr std::size_t batch_records = 8192;
static_assert(trace::event_head_bytes +
                  batch_records * (1 + (1 + trace::max_fields) * trace::max_varint_bytes) <=
              trace::max_payload_bytes);
// A ring of 1 MiB holds 5 ms of the densest stream measured (12 million records a second).
constexpr nanoseconds shortest_pause = std::chrono::milliseconds(1);
constexpr nanoseconds longest_pause = std::chrono::milliseconds(10);
constexpr nanoseconds idle_pause = std::chrono::milliseconds(50);  // reached when nobody writes
constexpr nanoseconds clock_period = std::chrono::seconds(1);
constexpr int collector_niceness = 10;

/// The command line with spaces for its zeros, without line ends.
std::string command_line() {
    const unique_fd file(::open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC));
    char text[1024];
    const ssize_t size = file ? ::read(file.get(), text, sizeof text) : 0;
    std::string line(text, size > 0 ? static_cast<std::size_t>(size) : 0);
    for (char& each : line) {
        if (static_cast<unsigned char>(each) < ' ') each = ' ';
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    return line;
}

void lower_priority() noexcept {
    const auto thread = static_cast<id_t>(::syscall(SYS_gettid));
    ::setpriority(PRIO_PROCESS, thread, collector_niceness);  // refused: it runs at normal priority
    ::pthread_setname_np(::pthread_self(), "weft-trace");
}

}  // namespace

std::error_code trace_collector::start(chunk_file&& file, const settings& how) {
    file_ = std::move(file);
    settings_ = how;
    batch_.resize(batch_records);
    pause_ = shortest_pause;
    next_clocks_ = {};
    records_.store(0, std::memory_order_relaxed);  // counters: no edge
    lost_.store(0, std::memory_order_relaxed);     // counters: no edge
    bytes_.store(0, std::memory_order_relaxed);    // counters: no edge
    stage_.store(0, std::memory_order_relaxed);    // starting: thread creation publishes it
    // The thread takes no signals: those of the program are for the program's threads.
    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    std::error_code error;
    try {
        thread_ = std::thread([this] { run(); });
    } catch (const std::system_error& failure) {
        error = failure.code();
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    while (!error && current_stage() == stage::starting) await_change(stage::starting);
    return error;
}

void trace_collector::enter(stage next) noexcept {
    stage_.store(static_cast<std::uint32_t>(next), std::memory_order_release);  // P1, P2
    real_environment::futex_wake(stage_, 1);
}

trace_collector::stage trace_collector::current_stage() const noexcept {
    return static_cast<stage>(stage_.load(std::memory_order_acquire));  // P1, P2
}

void trace_collector::await_change(stage from, time_point deadline) noexcept {
    const auto expected = static_cast<std::uint32_t>(from);
    static_cast<void>(real_environment::futex_wait(stage_, expected, deadline));
}

void trace_collector::stop() {
    if (!thread_.joinable()) return;
    enter(stage::stopping);
    thread_.join();
}

void trace_collector::abandon() noexcept { file_.abandon(); }

std::uint64_t trace_collector::records() const noexcept {
    return records_.load(std::memory_order_relaxed);  // counter: no edge
}
std::uint64_t trace_collector::lost() const noexcept {
    return lost_.load(std::memory_order_relaxed);  // counter: no edge
}
std::uint64_t trace_collector::file_bytes() const noexcept {
    return bytes_.load(std::memory_order_relaxed);  // counter: no edge
}

void trace_collector::run() {
    lower_priority();
    try {
        write_all();
    } catch (const std::bad_alloc&) {
        file_.fail(std::make_error_code(std::errc::not_enough_memory));
    }
    if (current_stage() == stage::starting) enter(stage::ready);  // control waits for it
    // A failure is told only once the masks are on: who is told switches them off.
    while (current_stage() == stage::ready) await_change(stage::ready);
    file_.close();
    bytes_.store(file_.bytes(), std::memory_order_relaxed);  // counter: no edge
    if (file_.error()) settings_.failed(*this, file_.error());
}

void trace_collector::write_all() {
    write_preface();
    enter(stage::ready);
    while (current_stage() == stage::ready) await_change(stage::ready);
    bool stopping = false;
    while (!stopping && !file_.error()) {
        stopping = current_stage() == stage::stopping;
        round();
        if (!stopping) sleep();
    }
    if (file_.error()) return;
    write_clocks();
    write_end();
}

void trace_collector::write_preface() {
    std::string text;
    const auto line = [&](const char* key, const std::string& value) {
        text.append(key).append("=").append(value).append("\n");
    };
    line("process", std::to_string(::getpid()));
    line("command", command_line());
    line("clock", settings_.monotonic_ticks ? "monotonic" : "ticks");
    line("levels", std::to_string(settings_.levels));
    line("ring_records", std::to_string(settings_.ring_capacity));
    line("record_cost_ps", std::to_string(measure_record_cost(settings_.monotonic_ticks)));
    line("processors", std::to_string(std::thread::hardware_concurrency()));
    file_.add(trace::chunk_type::meta, text);
    file_.add(trace::chunk_type::layouts, encode_layouts());
    write_clocks();
}

void trace_collector::round() {
    registry_.take(input_);
    if (!input_.locations.empty()) file_.add(trace::chunk_type::locations, input_.locations);
    if (!input_.emitters.empty()) file_.add(trace::chunk_type::emitters, input_.emitters);
    if (!input_.names.empty()) file_.add(trace::chunk_type::names, input_.names);
    fullest_percent_ = 0;
    was_idle_ = true;
    reference_ticks_ = read_clocks(settings_.monotonic_ticks).ticks;
    for (ring_owner* owner : input_.owners) drain(*owner);
    if (!input_.detached.empty()) registry_.give_back(input_.detached);
    if (real_environment::now() >= next_clocks_) write_clocks();
    file_.flush();
    bytes_.store(file_.bytes(), std::memory_order_relaxed);  // counter: no edge
}

void trace_collector::drain(ring_owner& owner) {
    // At most two rings full: one fast writer must not keep the others waiting.
    std::uint64_t lost = 0;
    std::uint64_t drained = 0;
    const std::uint64_t batches = 2 + 2 * owner.ring.capacity / batch_records;
    for (std::uint64_t i = 0; i < batches; ++i) {
        const auto got = owner.reader.read(batch_.data(), batch_.size());
        lost += got.lost;
        drained += got.count;
        if (got.count == 0 && got.first == 0) break;
        if (got.count == 0) continue;
        write_batch(owner, batch_.data() + got.first, got.count, got.sequence, lost);
        lost = 0;
        if (got.first + got.count < batch_.size()) break;
    }
    if (lost != 0) write_batch(owner, nullptr, 0, owner.reader.position(), lost);
    if (drained + lost != 0) was_idle_ = false;
    fullest_percent_ = std::max(fullest_percent_, (drained + lost) * 100 / owner.ring.capacity);
}

void trace_collector::write_batch(const ring_owner& owner, const trace_record* records,
                                  std::size_t count, std::uint64_t sequence, std::uint64_t lost) {
    const auto stamp = [&](const trace_record& record) {
        return restore_stamp(record.stamp_and_event >> 8, reference_ticks_);
    };
    const std::uint64_t first = count != 0 ? stamp(records[0]) : reference_ticks_;
    payload_.clear();
    append_event_head(payload_,
                      {owner.number, static_cast<std::uint32_t>(count), sequence, first, lost});
    record_encoder encoder(first);
    for (std::size_t i = 0; i < count; ++i) encoder.append(payload_, stamp(records[i]), records[i]);
    file_.add(trace::chunk_type::events, payload_);
    records_.fetch_add(count, std::memory_order_relaxed);  // counter: no edge
    lost_.fetch_add(lost, std::memory_order_relaxed);      // counter: no edge
}

void trace_collector::write_clocks() {
    const trace::clock_sync now = read_clocks(settings_.monotonic_ticks);
    std::string text;
    append_fixed(text, now.ticks);
    append_fixed(text, now.monotonic);
    append_fixed(text, now.realtime);
    append_fixed(text, now.boottime);
    file_.add(trace::chunk_type::clocks, text);
    next_clocks_ = real_environment::now() + clock_period;
}

void trace_collector::write_end() {
    file_.add(trace::chunk_type::end,
              "records=" + std::to_string(records()) + "\nlost=" + std::to_string(lost()) + "\n");
}

void trace_collector::sleep() {
    if (fullest_percent_ >= 25) {
        pause_ = shortest_pause;
    } else if (fullest_percent_ >= 10) {
        pause_ = std::max(pause_ / 2, shortest_pause);
    } else if (fullest_percent_ < 5) {
        pause_ = std::min(pause_ * 2, was_idle_ ? idle_pause : longest_pause);
    }
    if (!was_idle_) pause_ = std::min(pause_, longest_pause);
    await_change(stage::running, real_environment::now() + pause_);
}

std::uint64_t measure_record_cost(bool monotonic_ticks) {
    using environment = real_environment;
    constexpr std::uint64_t capacity = 1024;
    std::vector<trace_ring<environment>::word> words(2 * capacity + 1);
    trace::emitter scratch;
    scratch.bind({&words[2 * capacity], words.data(), capacity});
    scratch.set_mask(trace::bits::tasks | (monotonic_ticks ? trace::bits::clock_monotonic : 0u));
    auto best = nanoseconds::max();
    for (int attempt = 0; attempt < 5; ++attempt) {
        const time_point begin = environment::now();
        for (std::uint64_t i = 0; i < capacity; ++i) scratch.emit(trace::event::task_run, i);
        best = std::min(best, nanoseconds(environment::now() - begin));
    }
    return static_cast<std::uint64_t>(best.count()) * 1000 / capacity;
}

}  // namespace weft::detail
