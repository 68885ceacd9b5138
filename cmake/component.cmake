# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

# Optional components (weft::tbb, weft::tls, ...): each is switched on when its files exist and its
# package is found, is a library of its own, and has an export set of its own, so that a consumer
# who asks for the core alone needs none of the packages.

# What the core and every component have in common.
function(weft_configure_library target)
    target_compile_features(${target} PUBLIC cxx_std_23)
    target_include_directories(
        ${target}
        PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
        PRIVATE ${PROJECT_SOURCE_DIR}/runtime)
    # Fact: g++ makes symmetric transfer a tail call below -O2 only with this flag; clang aligns
    # frames with over-aligned locals only with that one. Both concern the user's coroutines too.
    # The warning is about promises whose own operator new aligns enough, as weft's do.
    target_compile_options(
        ${target}
        PUBLIC "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-foptimize-sibling-calls>"
               "$<$<COMPILE_LANG_AND_ID:CXX,Clang,AppleClang>:-fcoro-aligned-allocation;-Wno-coro-non-aligned-allocation-function>")
    set_target_properties(${target} PROPERTIES VERSION ${PROJECT_VERSION}
                                               SOVERSION ${PROJECT_VERSION_MAJOR})
    weft_set_warnings(${target})
endfunction()

# weft_component(name regex package libraries...): declares one, and takes its files out of
# weft_sources. The cache variable WEFT_<NAME> (ON by default) switches it off.
function(weft_component name regex package)
    set(files ${weft_sources})
    list(FILTER files INCLUDE REGEX "${regex}")
    list(FILTER weft_sources EXCLUDE REGEX "${regex}")
    set(weft_sources "${weft_sources}" PARENT_SCOPE)
    string(TOUPPER "${name}" upper)
    option(WEFT_${upper} "Build weft::${name} where ${package} is found" ON)
    if(NOT files OR NOT WEFT_${upper})
        return()
    endif()
    find_package(${package} QUIET)
    if(NOT ${package}_FOUND)
        message(STATUS "weft: no ${package}, so weft::${name} is not built")
        return()
    endif()
    set(weft_${name}_files "${files}" PARENT_SCOPE)
    set(weft_${name}_package "${package}" PARENT_SCOPE)
    set(weft_${name}_libraries "${ARGN}" PARENT_SCOPE)
    set(weft_components ${weft_components} ${name} PARENT_SCOPE)
endfunction()

function(weft_build_components)
    foreach(name IN LISTS weft_components)
        add_library(weft_${name} ${weft_${name}_files})
        add_library(weft::${name} ALIAS weft_${name})
        weft_configure_library(weft_${name})
        target_link_libraries(weft_${name} PUBLIC weft::weft ${weft_${name}_libraries})
        set_target_properties(weft_${name} PROPERTIES EXPORT_NAME ${name})
    endforeach()
endfunction()
