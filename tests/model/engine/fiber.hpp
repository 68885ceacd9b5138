// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A stack and a way to change to it: the modelled threads of the checker are fibers of one system
// thread. The switch saves the callee-saved registers and nothing else (no signal mask, no
// floating-point environment), so it costs a few nanoseconds where swapcontext costs two system
// calls. A fiber that is never resumed may be restarted: its old frames are forgotten, not unwound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <ucontext.h>
#define WEFT_MODEL_UCONTEXT 1
#endif

#if defined(__SANITIZE_ADDRESS__)
#define WEFT_MODEL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT_MODEL_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define WEFT_MODEL_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT_MODEL_TSAN 1
#endif
#endif

#if defined(WEFT_MODEL_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(WEFT_MODEL_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace weft::model {

class fiber {
public:
    using entry = void (*)(void* argument);

    /// The context of the calling thread: only ever left and come back to.
    fiber() = default;
    explicit fiber(std::size_t stack_bytes)
        : stack_(new std::byte[stack_bytes]), stack_bytes_(stack_bytes) {}
    fiber(const fiber&) = delete;
    fiber& operator=(const fiber&) = delete;
    ~fiber();

    /// The next switch to this fiber calls `start(argument)`, which must never return.
    void prepare(entry start, void* argument);
    /// Leaves `from`, which must be running; returns when somebody switches back to it.
    static void change(fiber& from, fiber& to);

private:
    static void begin();
    static void arrive(fiber& self);

    inline static fiber* arriving_ = nullptr;
    inline static fiber* leaving_ = nullptr;

    std::unique_ptr<std::byte[]> stack_;
    std::size_t stack_bytes_ = 0;
    entry start_ = nullptr;
    void* argument_ = nullptr;
#if defined(WEFT_MODEL_UCONTEXT)
    ucontext_t context_{};
#else
    void* saved_stack_pointer_ = nullptr;
#endif
#if defined(WEFT_MODEL_ASAN)
    void* fake_stack_ = nullptr;
    const void* bottom_ = nullptr;
    std::size_t bottom_bytes_ = 0;
#endif
#if defined(WEFT_MODEL_TSAN)
    void* shadow_ = nullptr;
#endif
};

// ---------------------------------------------------------------------------------------------

// Weak, so that every translation unit of an executable may hold a copy.
#if defined(__x86_64__)
asm(R"(
.pushsection .text
.weak weft_model_change_stack
.type weft_model_change_stack, @function
weft_model_change_stack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size weft_model_change_stack, . - weft_model_change_stack
.popsection
)");
inline constexpr std::size_t saved_words = 8;  // six registers, the return address, alignment
inline constexpr std::size_t return_word = 6;
#elif defined(__aarch64__)
asm(R"(
.pushsection .text
.weak weft_model_change_stack
.type weft_model_change_stack, %function
weft_model_change_stack:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
.size weft_model_change_stack, . - weft_model_change_stack
.popsection
)");
inline constexpr std::size_t saved_words = 20;
inline constexpr std::size_t return_word = 11;
#endif

#if !defined(WEFT_MODEL_UCONTEXT)
extern "C" void weft_model_change_stack(void** save, void* next);
#endif

inline fiber::~fiber() {
#if defined(WEFT_MODEL_TSAN)
    if (stack_ && shadow_ != nullptr) __tsan_destroy_fiber(shadow_);
#endif
}

inline void fiber::prepare(entry start, void* argument) {
    start_ = start;
    argument_ = argument;
#if defined(WEFT_MODEL_ASAN)
    fake_stack_ = nullptr;
    bottom_ = stack_.get();
    bottom_bytes_ = stack_bytes_;
    __asan_unpoison_memory_region(stack_.get(), stack_bytes_);
#endif
#if defined(WEFT_MODEL_TSAN)
    if (shadow_ != nullptr) __tsan_destroy_fiber(shadow_);
    shadow_ = __tsan_create_fiber(0);
#endif
#if defined(WEFT_MODEL_UCONTEXT)
    getcontext(&context_);
    context_.uc_stack.ss_sp = stack_.get();
    context_.uc_stack.ss_size = stack_bytes_;
    context_.uc_link = nullptr;
    makecontext(&context_, &fiber::begin, 0);
#else
    auto top = reinterpret_cast<std::uintptr_t>(stack_.get() + stack_bytes_) & ~std::uintptr_t{15};
    auto* frame = reinterpret_cast<void**>(top) - saved_words;
    for (std::size_t i = 0; i < saved_words; ++i) frame[i] = nullptr;
    frame[return_word] = reinterpret_cast<void*>(&fiber::begin);
    saved_stack_pointer_ = frame;
#endif
}

inline void fiber::change(fiber& from, fiber& to) {
    arriving_ = &to;
    leaving_ = &from;
#if defined(WEFT_MODEL_ASAN)
    __sanitizer_start_switch_fiber(&from.fake_stack_, to.bottom_, to.bottom_bytes_);
#endif
#if defined(WEFT_MODEL_TSAN)
    if (from.shadow_ == nullptr) from.shadow_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to.shadow_, 0);
#endif
#if defined(WEFT_MODEL_UCONTEXT)
    swapcontext(&from.context_, &to.context_);
#else
    weft_model_change_stack(&from.saved_stack_pointer_, to.saved_stack_pointer_);
#endif
    arrive(from);
}

inline void fiber::arrive([[maybe_unused]] fiber& self) {
#if defined(WEFT_MODEL_ASAN)
    // Fact: the sanitizer alone knows the bounds of the thread's own stack; learn them on leaving.
    const void* bottom = nullptr;
    std::size_t bytes = 0;
    __sanitizer_finish_switch_fiber(self.fake_stack_, &bottom, &bytes);
    if (!leaving_->stack_) {
        leaving_->bottom_ = bottom;
        leaving_->bottom_bytes_ = bytes;
    }
#endif
}

inline void fiber::begin() {
    fiber& self = *arriving_;
    arrive(self);
    self.start_(self.argument_);
    __builtin_trap();  // start_ must not return: there is no frame below this one
}

}  // namespace weft::model
