// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "support/child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace {

bool is_a_child = false;

}  // namespace

// LeakSanitizer's question at exit. A forked child leaves behind what belonged to the parent's
// threads, on purpose.
extern "C" int __lsan_is_turned_off() { return is_a_child ? 1 : 0; }

namespace weft::test {

namespace {

[[noreturn]] void be_the_child(int output, const std::function<void()>& body) {
    is_a_child = true;
    // Catch2's handlers would report the child's signals as the test's own.
    for (int number : {SIGABRT, SIGSEGV, SIGTERM, SIGINT, SIGFPE, SIGILL, SIGALRM}) {
        signal(number, SIG_DFL);
    }
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    ::close(output);
    ::alarm(60);
    body();
    ::_exit(255);
}

child_result fork_and_wait(const std::function<void()>& body) {
    std::fflush(nullptr);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("fork failed");
    if (child == 0) be_the_child(ends[1], body);
    ::close(ends[1]);
    child_result result;
    char buffer[4096];
    for (ssize_t n; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
        result.output.append(buffer, static_cast<std::size_t>(n));
    }
    ::close(ends[0]);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
    return result;
}

}  // namespace

child_result in_child(const std::function<int()>& body) {
    return fork_and_wait([&body] {
        int code = body();
        std::fflush(nullptr);
        ::_exit(code);
    });
}

child_result in_exiting_child(const std::function<int()>& body) {
    return fork_and_wait([&body] { std::exit(body()); });
}

child_result shell(const std::string& command) {
    return fork_and_wait([&command] {
        ::execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
        ::_exit(127);
    });
}

}  // namespace weft::test
