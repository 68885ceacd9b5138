// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Python's print, for the programs that are written once in each language.
#pragma once

#include <iostream>
#include <string>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

inline const char* shown(bool value) { return value ? "True" : "False"; }
template <class T>
const T& shown(const T& value) {
    return value;
}

template <class First, class... Others>
void print(const First& first, const Others&... others) {
    std::cout << shown(first);
    ((std::cout << ' ' << shown(others)), ...);
    std::cout << '\n' << std::flush;
}
