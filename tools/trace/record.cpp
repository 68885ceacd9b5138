// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// weft-trace record: runs a program with the environment that switches tracing on. It hands on the
// signals it gets and ends as the program ended.

#include <getopt.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>

#include "commands.hpp"

namespace weft::tracetool {

namespace {

volatile std::sig_atomic_t child_process = 0;

/// Signals that a person or a supervisor sends to end or steer a program.
constexpr std::array forwarded = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};

void forward(int signal, siginfo_t* info, void*) {
    // Fact: what the terminal sends goes to the whole group, so the program has it already.
    const bool from_terminal = info->si_code == SI_KERNEL;
    if (!from_terminal && child_process > 0) ::kill(static_cast<pid_t>(child_process), signal);
}

using signal_actions = std::array<struct sigaction, forwarded.size()>;

/// Returns what the signals did until now.
signal_actions forward_signals() {
    struct sigaction action{};
    action.sa_sigaction = forward;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    ::sigfillset(&action.sa_mask);
    signal_actions before{};
    for (std::size_t i = 0; i < forwarded.size(); ++i) {
        ::sigaction(forwarded[i], &action, &before[i]);
    }
    return before;
}

void restore_signals(const signal_actions& before) {
    for (std::size_t i = 0; i < forwarded.size(); ++i) {
        ::sigaction(forwarded[i], &before[i], nullptr);
    }
}

struct record_options {
    std::string file = "weft.wtrace";
    std::string level = "tasks";
    std::string ring_kib;
    std::string clock;
};

/// The index of the program's name in argv, or 0 after saying what is wrong.
int parse(int argc, char** argv, record_options& options) {
    static constexpr option long_options[] = {
        {"output", required_argument, nullptr, 'o'},
        {"level", required_argument, nullptr, 'l'},
        {"ring", required_argument, nullptr, 'r'},
        {"clock", required_argument, nullptr, 'c'},
        {nullptr, 0, nullptr, 0},
    };
    int letter;
    while ((letter = ::getopt_long(argc, argv, "+o:l:r:c:", long_options, nullptr)) != -1) {
        if (letter == 'o') options.file = optarg;
        if (letter == 'l') options.level = optarg;
        if (letter == 'r') options.ring_kib = optarg;
        if (letter == 'c') options.clock = optarg;
        if (letter == '?') return 0;
    }
    if (options.level != "tasks" && options.level != "full" && options.level != "inline") {
        fail("the level is tasks, full or inline, not \"" + options.level + "\"");
        return 0;
    }
    if (optind >= argc) {
        fail("which program? weft-trace record [options] -- program [args]");
        return 0;
    }
    return optind;
}

/// A number that no other recording is likely to have; not 0.
std::uint32_t draw_number() {
    std::uint32_t number = 0;
    if (::getrandom(&number, sizeof number, GRND_NONBLOCK) != sizeof number) {
        number = static_cast<std::uint32_t>(::getpid());
    }
    return number | 1u;
}

[[noreturn]] void run_program(char** argv, const record_options& options) {
    ::setenv("WEFT_TRACE", options.file.c_str(), 1);
    // Programs that run one after the other know by it whose trace they find, and leave it alone.
    ::setenv("WEFT_TRACE_RECORDING", std::to_string(draw_number()).c_str(), 1);
    ::setenv("WEFT_TRACE_LEVEL", options.level.c_str(), 1);
    if (!options.ring_kib.empty()) ::setenv("WEFT_TRACE_RING_KIB", options.ring_kib.c_str(), 1);
    if (!options.clock.empty()) ::setenv("WEFT_TRACE_CLOCK", options.clock.c_str(), 1);
    ::execvp(argv[0], argv);
    const int reason = errno;
    fail(std::string(argv[0]) + ": " + std::strerror(reason));
    ::_exit(reason == ENOENT ? 127 : 126);
}

/// Runs the program; true with its wait status, false after saying what is wrong.
bool run_to_end(char** argv, const record_options& options, int& status) {
    sigset_t all, before;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before);  // a signal that comes now waits for the child
    // Where its parent ignores SIGCHLD, the kernel would throw the exit status away.
    struct sigaction plain{}, for_children{};
    plain.sa_handler = SIG_DFL;
    ::sigaction(SIGCHLD, &plain, &for_children);
    const pid_t child = ::fork();
    if (child < 0) {
        fail(std::string("fork: ") + std::strerror(errno));
        return false;
    }
    if (child == 0) {
        ::sigaction(SIGCHLD, &for_children, nullptr);
        ::sigprocmask(SIG_SETMASK, &before, nullptr);
        run_program(argv, options);
    }
    child_process = child;
    const signal_actions actions = forward_signals();
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    while (::waitpid(child, &status, 0) < 0) {
        if (errno == EINTR) continue;
        fail(std::string("waitpid: ") + std::strerror(errno));
        return false;
    }
    restore_signals(actions);  // there is nobody left to forward them to
    child_process = 0;
    return true;
}

/// Ends this process by `signal` too, so that a shell sees what it would have seen.
int die_by(int signal) {
    std::signal(signal, SIG_DFL);
    ::raise(signal);
    return 128 + signal;  // a signal that does not end us: stopped, or ignored by our parent
}

void report_file(const std::string& path) {
    if (path.find("%p") != std::string::npos) return;
    // A pipe or a device does not give back what was written, and may never end.
    std::error_code missing;
    const bool exists = std::filesystem::exists(path, missing);
    if (exists && !std::filesystem::is_regular_file(path, missing)) return;
    const auto file = trace::trace_file::open(path);
    if (!file) {
        fail("no trace: " + file.error() + " (did the program start a weft runtime?)");
        return;
    }
    std::fprintf(stderr, "weft-trace: %s: %llu records, %llu lost, %zu bytes\n", path.c_str(),
                 static_cast<unsigned long long>(file->records),
                 static_cast<unsigned long long>(file->lost), file->size_bytes);
}

/// What is left of an earlier recording must not be taken for this one's. A device's node stays,
/// and so does a link, whose target is emptied instead.
bool clear(const std::string& path) {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored)) return true;
    const bool link = std::filesystem::is_symlink(path, ignored);
    return (link ? ::truncate(path.c_str(), 0) : ::unlink(path.c_str())) == 0;
}

}  // namespace

int run_record(int argc, char** argv) {
    record_options options;
    const int program = parse(argc, argv, options);
    if (program == 0) return 2;
    if (!clear(options.file)) {
        return fail(options.file + ": " + std::system_category().message(errno));
    }
    int status = 0;
    if (!run_to_end(argv + program, options, status)) return 1;
    const bool ran =
        !WIFEXITED(status) || (WEXITSTATUS(status) != 126 && WEXITSTATUS(status) != 127);
    if (ran) report_file(options.file);
    if (WIFSIGNALED(status)) return die_by(WTERMSIG(status));
    return WEXITSTATUS(status);
}

}  // namespace weft::tracetool
