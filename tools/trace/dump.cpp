// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// weft-trace dump: every record as a line of text. It knows no event by name: fields and their
// values are printed as the file's own layouts say, so it also reads events newer than itself.

#include <getopt.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "commands.hpp"
#include "weft/trace/layout.hpp"

namespace weft::tracetool {

namespace {

using trace::field_kind;

/// What an id stands for, in quotes, where the file knows it.
std::string name_of(const trace::trace_file& file, const std::string& field, std::uint64_t value) {
    const trace::id_space space = field == "type"   ? trace::id_space::type
                                  : field == "site" ? trace::id_space::site
                                                    : trace::id_space::name;
    if (field != "type" && field != "site" && field != "name") return {};
    const auto* location = file.location(space, static_cast<std::uint32_t>(value));
    return location != nullptr ? " \"" + location->function + "\"" : "";
}

void print_field(const trace::trace_file& file, const trace::recorded_layout::field& field,
                 std::uint64_t value) {
    std::printf(" %s=", field.name.c_str());
    if (field.kind == field_kind::duration) {
        std::printf("%" PRIu64 "ns", trace::unpack_duration(value));
    } else if (field.kind == field_kind::enumeration && value < field.values.size()) {
        std::printf("%s", field.values[value].c_str());
    } else {
        std::printf("%" PRIu64 "%s", value, name_of(file, field.name, value).c_str());
    }
    if (field.kind != field_kind::task) return;
    const auto name = file.task_names.find(value);
    if (name != file.task_names.end()) std::printf(" \"%s\"", name->second.c_str());
}

void print_record(const trace::trace_file& file, const trace::recorded_event& e,
                  std::uint64_t start) {
    const trace::recorded_emitter& emitter = file.emitters[e.emitter];
    if (e.lost > 0) {
        std::printf("%17s %-12s -- %" PRIu64 " records lost --\n", "", emitter.name.c_str(),
                    e.lost);
    }
    const auto since = static_cast<std::int64_t>(file.to_monotonic(e.ticks) - start);
    std::printf(
        "%14.3f us %-12s ", static_cast<double>(since) / 1000,
        emitter.name.empty() ? std::to_string(emitter.number).c_str() : emitter.name.c_str());
    const auto* layout = file.layout_for(e.id);
    if (layout == nullptr) {
        std::printf("event %d payload=0x%" PRIx64 "\n", static_cast<int>(e.id), e.payload);
        return;
    }
    std::printf("%-12s", layout->name.c_str());
    const auto values = file.fields(e);
    for (std::size_t i = 0; i < values.size(); ++i) print_field(file, layout->fields[i], values[i]);
    std::printf("\n");
}

}  // namespace

int run_dump(int argc, char** argv) {
    std::uint64_t left = ~std::uint64_t{0};
    int letter;
    while ((letter = ::getopt(argc, argv, "n:")) != -1) {
        if (letter != 'n') return 2;
        char* end = nullptr;
        left = std::strtoull(optarg, &end, 10);
        if (*optarg == '\0' || *end != '\0') return fail("-n takes a number of records", 2);
    }
    trace::trace_file file;
    if (!open_operand(argc, argv, optind, file)) return 1;
    std::uint64_t start = 0;  // stamps are shown since the first record
    file.for_each([&](const trace::recorded_event& e) {
        if (start == 0) start = file.to_monotonic(e.ticks);
        if (left == 0) return;
        --left;
        print_record(file, e, start);
    });
    return 0;
}

}  // namespace weft::tracetool
