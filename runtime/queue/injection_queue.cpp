// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/queue/injection_queue.hpp"

#include <concurrentqueue/concurrentqueue.h>
#include <algorithm>
#include <functional>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "base/thread_sanitizer.hpp"
#include "weft/base/check.hpp"

#if defined(WEFT_THREAD_SANITIZER)
extern "C" {  // of TSan's runtime
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#endif

namespace weft::detail {

namespace {

/// While it lives, TSan skips this thread's plain accesses; atomics count as ever, so the edges of
/// the queue to its users stay checked. Fact: ConcurrentQueue 1.0.3 orders the reuse of a block by
/// two fences (Block::set_many_empty, Block::is_empty), which TSan does not see; with the orders on
/// the flags themselves instead it reports nothing. Can go when TSan knows fences.
class fenced_region {
public:
#if defined(WEFT_THREAD_SANITIZER)
    fenced_region() noexcept {
        AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
        AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    }
    ~fenced_region() {
        AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
        AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
    }
#else
    fenced_region() noexcept {}
    ~fenced_region() {}
#endif
    fenced_region(const fenced_region&) = delete;
    fenced_region& operator=(const fenced_region&) = delete;
};

/// The program's own operator new, where it has one.
struct storage_traits : moodycamel::ConcurrentQueueDefaultTraits {
    static void* malloc(std::size_t size) noexcept { return ::operator new(size, std::nothrow); }
    static void free(void* block) noexcept { ::operator delete(block); }
};
using storage_queue = moodycamel::ConcurrentQueue<void*, storage_traits>;
constexpr std::size_t most_stripes = 8;

/// What one worker alone touches.
struct alignas(64) worker_tokens {
    explicit worker_tokens(storage_queue& queue) : in(queue), out(queue) {}
    moodycamel::ProducerToken in;
    moodycamel::ConsumerToken out;
};

/// A token that threads which are no workers share.
struct alignas(64) stripe {
    explicit stripe(storage_queue& queue) : in(queue) {}
    std::mutex mutex;
    moodycamel::ProducerToken in;
};

/// Before look number `n` for an item that another consumer, who is still inside the queue, hides:
/// that one is a few instructions away, or preempted.
void pause_before_look(unsigned n) noexcept {
    if (n == 0) return;
    if (n < 64) {
        real_environment::relax();
    } else {
        std::this_thread::yield();  // the other one may need this core
    }
}

}  // namespace

struct injection_storage::body {
    explicit body(std::size_t workers) {
        WEFT_CHECK(workers >= 1, "a runtime has at least one worker");
        for (std::size_t w = 0; w < workers; ++w) {
            tokens.push_back(std::make_unique<worker_tokens>(queue));
        }
        // Order: a single worker wants all foreign threads, and itself, in one line.
        const std::size_t count = workers == 1 ? 1 : std::min(workers, most_stripes);
        for (std::size_t s = 0; s < count; ++s) stripes.push_back(std::make_unique<stripe>(queue));
        for (auto& each : tokens) require(each->in.valid());
        for (auto& each : stripes) require(each->in.valid());
    }

    static void require(bool allocated) {
        if (!allocated) throw std::bad_alloc();
    }
    void enqueue(moodycamel::ProducerToken& token, void* item) {
        const fenced_region region;
        require(queue.enqueue(token, item));
    }
    /// Null: there is nothing, or it is hidden.
    [[nodiscard]] void* dequeue(std::size_t worker) noexcept {
        const fenced_region region;
        void* item = nullptr;
        return queue.try_dequeue(tokens[worker]->out, item) ? item : nullptr;
    }
    [[nodiscard]] stripe& own_stripe() {
        const std::size_t hash = std::hash<std::thread::id>{}(std::this_thread::get_id());
        return *stripes[(hash ^ (hash >> 12)) % stripes.size()];  // thread ids share low bits
    }

    storage_queue queue;
    std::vector<std::unique_ptr<worker_tokens>> tokens;
    std::vector<std::unique_ptr<stripe>> stripes;
};

injection_storage::injection_storage(std::size_t workers) : body_(new body(workers)) {}
injection_storage::~injection_storage() = default;

void injection_storage::push(void* item) {
    stripe& shared = body_->own_stripe();
    {
        const std::scoped_lock lock(shared.mutex);
        body_->enqueue(shared.in, item);
    }
    tickets_.publish();
}

void injection_storage::push(std::size_t worker, void* item) {
    if (body_->stripes.size() == 1) return push(item);  // Order: one worker, one line
    body_->enqueue(body_->tokens[worker]->in, item);
    tickets_.publish();
}

void* injection_storage::pop_slowly(std::size_t worker) noexcept {
    return tickets_.take([&](unsigned n) {
        pause_before_look(n);
        return body_->dequeue(worker);
    });
}

}  // namespace weft::detail
