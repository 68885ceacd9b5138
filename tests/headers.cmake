# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

# check_headers: every header of include/ compiles alone, with the project's warnings. Not part of
# `all`; tools/test builds it.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/include
     ${PROJECT_SOURCE_DIR}/include/*.hpp)
# For clang alone, and by a flag.
if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    list(REMOVE_ITEM headers weft/lifetime_checks.hpp)
endif()
set(header_sources "")
foreach(header IN LISTS headers)
    set(source "${CMAKE_CURRENT_BINARY_DIR}/headers/${header}.cpp")
    file(CONFIGURE OUTPUT "${source}" CONTENT "#include \"@header@\"\n#include \"@header@\"\n" @ONLY)
    list(APPEND header_sources "${source}")
endforeach()
add_library(check_headers OBJECT EXCLUDE_FROM_ALL ${header_sources})
target_link_libraries(check_headers PRIVATE weft::weft)
weft_set_warnings(check_headers)

# check_lifetimes, part of it: the examples have none of the mistakes that lifetime_checks.hpp finds,
# and it says so. bank_account hands coroutines on without a mark (docs/lifetimes.md).
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 18)
    file(GLOB checked CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.cpp)
    list(FILTER checked EXCLUDE REGEX "/bank_account\\.cpp$")
    add_library(check_lifetimes OBJECT EXCLUDE_FROM_ALL ${checked})
    target_link_libraries(check_lifetimes PRIVATE weft::weft)
    target_compile_options(check_lifetimes PRIVATE "SHELL:-include weft/lifetime_checks.hpp"
                                                   -Werror=dangling)
    add_dependencies(check_headers check_lifetimes)
endif()
