# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

# Sanitizer recipes, for the whole build tree. clang 19 is the compiler of the asan and tsan presets
# and needs nothing special. g++ works too (`cmake --preset asan -DCMAKE_CXX_COMPILER=g++
# -DCMAKE_C_COMPILER=gcc`), at -O2 and with the flags below, because sanitizer instrumentation keeps
# g++ 12 from making symmetric transfer a tail call.

function(weft_enable_sanitizers kinds)
    if(NOT kinds)
        return()
    endif()
    if(NOT kinds STREQUAL "thread" AND NOT kinds MATCHES "^(address|undefined|address,undefined)$")
        message(FATAL_ERROR "WEFT_SANITIZE is '${kinds}'; use 'address,undefined' or 'thread'.")
    endif()
    set(flags -fsanitize=${kinds} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(${flags})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        if(kinds STREQUAL "thread")
            list(APPEND flags -O2 --param=tsan-instrument-func-entry-exit=0 -Wno-tsan)
        else()
            list(APPEND flags -O2 -fno-sanitize-address-use-after-scope)
        endif()
    endif()
    add_compile_options(${flags})
endfunction()

# What every sanitized test runs under; a list of NAME=value.
function(weft_sanitizer_environment out)
    set(environment "ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:abort_on_error=1"
                    "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1"
                    "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1")
    find_program(WEFT_SYMBOLIZER NAMES llvm-symbolizer-19 llvm-symbolizer)
    if(WEFT_SYMBOLIZER)
        foreach(name ASAN UBSAN TSAN)
            list(APPEND environment "${name}_SYMBOLIZER_PATH=${WEFT_SYMBOLIZER}")
        endforeach()
    endif()
    set(${out} "${environment}" PARENT_SCOPE)
endfunction()
