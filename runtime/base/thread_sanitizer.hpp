// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// WEFT_THREAD_SANITIZER is defined where ThreadSanitizer instruments the code.
#pragma once

#if defined(__SANITIZE_THREAD__)
#define WEFT_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT_THREAD_SANITIZER 1
#endif
#endif
