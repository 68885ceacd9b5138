// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The commands of weft-trace. Each gets its own arguments (argv[0] is the command's name) and
// returns the exit status: 0 done, 1 failed, 2 wrong usage.
#pragma once

#include <string>

#include "weft/trace/reader.hpp"

namespace weft::tracetool {

int run_record(int argc, char** argv);
int run_summary(int argc, char** argv);
int run_dump(int argc, char** argv);
int run_export(int argc, char** argv);

/// Prints "weft-trace: <sentence>" to standard error and returns `status`.
int fail(const std::string& sentence, int status = 1);

/// Opens the only operand of a command. Prints what is wrong with the operand or the file; warns
/// about damage. False when there is nothing to show.
[[nodiscard]] bool open_operand(int argc, char** argv, int first, trace::trace_file& file);

}  // namespace weft::tracetool
