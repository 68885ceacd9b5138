// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "trace.hpp"

namespace weft::model {

const char* text_of(std::memory_order order) {
    switch (order) {
        case std::memory_order_relaxed:
            return "relaxed";
        case std::memory_order_acquire:
            return "acquire";
        case std::memory_order_release:
            return "release";
        case std::memory_order_acq_rel:
            return "acq_rel";
        case std::memory_order_seq_cst:
            return "seq_cst";
        default:
            return "consume";
    }
}

std::string text_of(std::uint64_t value) {
    auto is_small = [](std::int64_t number) { return number > -100'000 && number < 1'000'000; };
    auto number = static_cast<std::int64_t>(value);
    if (is_small(number)) return std::to_string(number);
    auto narrow = static_cast<std::int32_t>(value);
    if (value >> 32U == 0 && is_small(narrow)) return std::to_string(narrow);
    constexpr const char* digits = "0123456789abcdef";
    std::string text;
    for (; value != 0; value >>= 4U) text.insert(text.begin(), digits[value & 15U]);
    return "0x" + text;
}

std::string text_of(site where) {
    std::string_view file = where.file_name();
    if (auto slash = file.rfind('/'); slash != file.npos) file.remove_prefix(slash + 1);
    return std::string(file) + ":" + std::to_string(where.line());
}

std::string execution::name_of(const void* address) const {
    auto place = reinterpret_cast<std::uintptr_t>(address);
    for (const auto& range : names_) {
        if (place < range.begin || place >= range.end) continue;
        if (place == range.begin) return range.name;
        return range.name + "+" + std::to_string(place - range.begin);
    }
    for (std::size_t i = 0; i < location_count_; ++i) {
        if (locations_[i].address == address) return "atomic#" + std::to_string(i);
    }
    for (std::size_t i = 0; i < cells_.size(); ++i) {
        if (cells_[i].address == address) return "cell#" + std::to_string(i);
    }
    return "freed storage";
}

void execution::fail(std::string_view what) {
    allocation_watch::is_on = false;
    has_failed_ = true;
    message_ = what;
    fiber::change(*fibers_[running_], root_);
    __builtin_trap();  // an abandoned fiber is never resumed
}

std::string execution::trace() const {
    std::string text;
    for (const auto& line : trace_) text += line + "\n";
    return text;
}

void execution::set_name(const void* object, std::size_t bytes, std::string_view name) {
    unwatched_scope engine;
    auto begin = reinterpret_cast<std::uintptr_t>(object);
    names_.push_back({begin, begin + bytes, std::string(name)});
}

}  // namespace weft::model
