// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "sched/worker_thread.hpp"

#include <pthread.h>
#include <unistd.h>

#include <memory>
#include <system_error>

#include "weft/base/check.hpp"

namespace weft::detail {

struct worker_thread::state {
    function body;
    void* argument;
    pthread_t id{};  // the creator's
};

namespace {

void throw_if(int error, const char* what) {
    if (error != 0) throw std::system_error(error, std::generic_category(), what);
}

class attributes {
public:
    explicit attributes(std::size_t stack_size) {
        throw_if(pthread_attr_init(&value_), "weft: attributes of a worker's thread");
        if (stack_size == 0) return;
        auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        int error = pthread_attr_setstacksize(&value_, (stack_size + page - 1) / page * page);
        if (error == 0) return;
        pthread_attr_destroy(&value_);
        throw_if(error, "weft: runtime_options::stack_size");
    }
    attributes(const attributes&) = delete;
    attributes& operator=(const attributes&) = delete;
    ~attributes() { pthread_attr_destroy(&value_); }
    [[nodiscard]] const pthread_attr_t* get() const noexcept { return &value_; }

private:
    pthread_attr_t value_;
};

}  // namespace

worker_thread::worker_thread(std::size_t stack_size, function body, void* argument) {
    attributes wanted{stack_size};
    auto fresh = std::make_unique<state>(state{body, argument});
    throw_if(pthread_create(&fresh->id, wanted.get(), &enter, fresh.get()),
             "weft: a worker's thread cannot be started");
    running_ = fresh.release();
}

worker_thread::~worker_thread() {
    WEFT_CHECK(running_ == nullptr, "a worker's thread was dropped while it runs");
}

void worker_thread::join() noexcept {
    pthread_join(running_->id, nullptr);
    delete std::exchange(running_, nullptr);
}

void* worker_thread::enter(void* argument) {
    auto* mine = static_cast<state*>(argument);
    mine->body(mine->argument);
    return nullptr;
}

}  // namespace weft::detail
