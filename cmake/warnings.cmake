# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

# The warning set of everything in this repository, on both compilers.
function(weft_set_warnings target)
    set(flags -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
    if(WEFT_WERROR)
        list(APPEND flags -Werror)
    endif()
    target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${flags}>")
endfunction()
