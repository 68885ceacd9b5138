# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

# Which compiler, decided before project(). The presets set WEFT_PREFER_CLANG, which takes clang 19
# where it is installed; an explicit choice (CXX, CMAKE_CXX_COMPILER, a toolchain file) always wins.

if(WEFT_PREFER_CLANG AND NOT DEFINED CMAKE_CXX_COMPILER AND NOT DEFINED ENV{CXX}
   AND NOT DEFINED CMAKE_TOOLCHAIN_FILE)
    find_program(WEFT_CLANGXX NAMES clang++-19)
    find_program(WEFT_CLANG NAMES clang-19)
    if(WEFT_CLANGXX AND WEFT_CLANG)
        set(CMAKE_CXX_COMPILER "${WEFT_CLANGXX}" CACHE FILEPATH "C++ compiler")
        set(CMAKE_C_COMPILER "${WEFT_CLANG}" CACHE FILEPATH "C compiler")
    else()
        message(STATUS "weft: clang++-19 is not installed, using the default compiler")
    endif()
endif()

# Fact: clang up to 16 caches thread-local addresses across suspension points and destroys frames
# twice on some paths; g++ before 12.2 lacks coroutine fixes that the runtime relies on.
function(weft_refuse_old_compilers)
    set(version "${CMAKE_CXX_COMPILER_VERSION}")
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND version VERSION_LESS 17)
        message(FATAL_ERROR "weft: clang ${version} miscompiles coroutines; use clang 17 or newer "
                            "(19 is the documented compiler), or g++ 12.2 or newer.")
    elseif(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND version VERSION_LESS 12.2)
        message(FATAL_ERROR "weft: g++ ${version} is too old; use g++ 12.2 or newer, or clang 19.")
    endif()
endfunction()
