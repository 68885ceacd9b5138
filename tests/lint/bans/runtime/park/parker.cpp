// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include <condition_variable>

std::condition_variable wake;
using namespace std;
// A condition_variable in a comment is no harm.
void report() { std::cerr << "sleep_for"; }
