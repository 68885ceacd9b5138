// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "allocation.hpp"

#include <cstdlib>
#include <cstring>
#include <new>

namespace weft::model {

void block_list::add(block_header* block) noexcept {
    block->previous = nullptr;
    block->next = first;
    if (first != nullptr) first->previous = block;
    first = block;
    ++count;
}

void block_list::remove(block_header* block) noexcept {
    if (block->previous != nullptr) block->previous->next = block->next;
    if (block->next != nullptr) block->next->previous = block->previous;
    if (first == block) first = block->next;
    --count;
}

void block_list::free_all() noexcept {
    while (first != nullptr) {
        block_header* block = first;
        remove(block);
        std::free(block->raw);
    }
}

void* allocation_watch::allocate(std::size_t bytes, std::size_t alignment) noexcept {
    if (alignment < alignof(std::max_align_t)) alignment = alignof(std::max_align_t);
    std::size_t front = (sizeof(block_header) + alignment - 1) / alignment * alignment;
    std::size_t total = (front + bytes + alignment - 1) / alignment * alignment;
    void* raw = std::aligned_alloc(alignment, total);
    if (raw == nullptr) return nullptr;
    auto* block = static_cast<std::byte*>(raw) + front;
    auto* header = reinterpret_cast<block_header*>(block - sizeof(block_header));
    *header = {raw, bytes, nullptr, nullptr, is_on ? watched : unwatched, 0};
    if (is_on) live_.add(header);
    return block;
}

void allocation_watch::release(void* block) noexcept {
    if (block == nullptr) return;
    auto* header =
        reinterpret_cast<block_header*>(static_cast<std::byte*>(block) - sizeof(block_header));
    if (header->state == quarantined) {
        if (on_double_free != nullptr) on_double_free(block);
        return;
    }
    if (header->state == watched) live_.remove(header);
    if (header->state == unwatched || !is_on) {
        std::free(header->raw);
        return;
    }
    std::memset(block, 0xDD, header->bytes);
    header->state = quarantined;
    freed_.add(header);
}

std::size_t allocation_watch::live_bytes() noexcept {
    std::size_t bytes = 0;
    for (auto* block = live_.first; block != nullptr; block = block->next) bytes += block->bytes;
    return bytes;
}

void allocation_watch::finish(bool abandoned) noexcept {
    freed_.free_all();
    if (abandoned) live_.free_all();
}

}  // namespace weft::model

void* operator new(std::size_t bytes) {
    void* block = weft::model::allocation_watch::allocate(bytes, 0);
    if (block == nullptr) throw std::bad_alloc{};
    return block;
}

void* operator new(std::size_t bytes, std::align_val_t alignment) {
    void* block =
        weft::model::allocation_watch::allocate(bytes, static_cast<std::size_t>(alignment));
    if (block == nullptr) throw std::bad_alloc{};
    return block;
}

void operator delete(void* block) noexcept { weft::model::allocation_watch::release(block); }
void operator delete(void* block, std::size_t) noexcept {
    weft::model::allocation_watch::release(block);
}
void operator delete(void* block, std::align_val_t) noexcept {
    weft::model::allocation_watch::release(block);
}
void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
    weft::model::allocation_watch::release(block);
}
