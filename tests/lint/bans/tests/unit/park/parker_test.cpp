// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

void wait_a_little() { std::this_thread::sleep_for(1ms); }
