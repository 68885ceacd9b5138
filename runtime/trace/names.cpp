// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Ids for coroutine types, await sites and user names. A thread remembers the locations that it
// asked for, so that asking again takes no lock.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>
#include <source_location>
#include <string_view>

#include "trace/registry.hpp"
#include "weft/trace/session.hpp"

namespace weft::detail {

namespace {

constexpr std::size_t cache_lines = 256;

/// What identifies a location while its code is loaded: the address of its static data. A library
/// that was unloaded may leave a wrong name behind; nothing worse.
std::uintptr_t key_of(const std::source_location& location) noexcept {
    if constexpr (sizeof(location) == sizeof(std::uintptr_t)) {
        return std::bit_cast<std::uintptr_t>(location);
    } else {
        return reinterpret_cast<std::uintptr_t>(location.function_name()) + location.line() +
               (std::uintptr_t{location.column()} << 20);
    }
}

std::uint32_t define_location(trace::id_space space, const std::source_location& location) {
    return process_trace_registry().define({space, location.line(), location.column(),
                                            location.function_name(), location.file_name()});
}

/// Direct-mapped; `Space` makes one for types and one for sites.
template <trace::id_space Space>
[[gnu::noinline]] std::uint32_t cached_id(const std::source_location& location,
                                          std::uint32_t if_full) noexcept {
    struct line {
        std::uintptr_t key;
        std::uint32_t id;
    };
    thread_local line cache[cache_lines];
    const std::uintptr_t key = key_of(location);
    line& place = cache[(key >> 3 ^ key >> 11) % cache_lines];
    if (place.key == key) return place.id;
    try {
        const std::uint32_t id = define_location(Space, location);
        place = {key, id != 0 ? id : if_full};
        return place.id;
    } catch (const std::bad_alloc&) {
        return if_full;
    }
}

}  // namespace

}  // namespace weft::detail

namespace weft::trace {

std::uint32_t define_type(const std::source_location& coroutine) noexcept {
    return weft::detail::cached_id<id_space::type>(coroutine, other_type);
}

std::uint32_t define_site(const std::source_location& await) noexcept {
    return weft::detail::cached_id<id_space::site>(await, no_site);
}

std::uint32_t define_name(std::string_view name) noexcept {
    try {
        return weft::detail::process_trace_registry().define({id_space::name, 0, 0, name, ""});
    } catch (const std::bad_alloc&) {
        return 0;
    }
}

}  // namespace weft::trace
