// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include <atomic>

void wait(std::atomic<int>& word) { word.store(0); }
