#pragma once

// For tests and benchmarks: a PostgreSQL server of their own, from the package of the system, in a
// new directory and behind a socket in it. Header-only; never part of the product.

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "env/env.h"
#include "env/postgres_connection.h"

extern char** environ;

namespace firn {

// Thread rule: one thread, which must be the one that lives longest: the server ends with it.
class TestPostgres {
 public:
  // Null, and a loud line, when there is no PostgreSQL on this machine. `settings` are lines of
  // postgresql.conf; `directory` is made below the system's temporary memory by default.
  static std::unique_ptr<TestPostgres> start(const std::string& settings = "",
                                             const std::string& parent = "") {
    const std::string programs = find_programs();
    if (programs.empty()) {
      std::fprintf(stderr,
                   "SKIPPED: no PostgreSQL server here; scripts/setup installs it. Nothing of the "
                   "PostgreSQL tier is tested.\n");
      return nullptr;
    }
    std::unique_ptr<TestPostgres> server(new TestPostgres(programs, parent));
    server->init(settings);
    server->boot();
    return server;
  }
  // The server that all tests of this process share, started at the first call.
  static TestPostgres* shared() {
    static const std::unique_ptr<TestPostgres> server = start();
    return server.get();
  }

  ~TestPostgres() {
    resume();
    signal_server(SIGQUIT);
    reap();
    std::filesystem::remove_all(directory_);
  }
  TestPostgres(const TestPostgres&) = delete;
  TestPostgres& operator=(const TestPostgres&) = delete;

  std::string dsn() const { return "host=" + directory_ + " user=postgres dbname=postgres"; }
  const std::string& directory() const { return directory_; }

  // Starts a server that was killed or stopped, and waits until it answers.
  void boot() {
    // Backends of a killed server may hold its memory for a moment longer.
    for (int attempt = 0; attempt < 100; ++attempt) {
      spawn_server();
      for (int waited = 0; waited < 1000 && is_running(); ++waited) {
        if (PostgresConnection::open({.dsn = dsn() + " target_session_attrs=any"}).ok()) return;
        wait_ms(20);
      }
      reap();
      wait_ms(50);
    }
    fail("the server does not start; see " + directory_ + "/log");
  }
  // SIGKILL to every process of the server.
  void kill_hard() {
    signal_all(SIGKILL);
    reap();
  }
  // A fast shutdown, which ends sessions and is over when this returns.
  void shut_down() {
    signal_server(SIGINT);
    reap();
  }
  // From the next boot() on: a standby, whose primary is nowhere, or a primary again. REQUIRES that
  // it does not run.
  void set_standby(bool standby) {
    const std::string signal = directory_ + "/data/standby.signal";
    if (standby) {
      std::ofstream(signal).close();
    } else {
      std::filesystem::remove(signal);
    }
  }
  // Every process stands still, sockets stay open.
  void pause() { signal_all(SIGSTOP); }
  void resume() {
    if (pid_ > 0) signal_all(SIGCONT);
  }

  // Runs statements as the superuser; fails the process when one fails.
  void run(const std::string& sql) {
    auto connection = PostgresConnection::open({.dsn = dsn()});
    if (!connection.ok()) fail(connection.status().to_string());
    const Status status = (*connection)->exec(sql);
    if (!status.ok()) fail(sql + ": " + status.to_string());
  }
  // The only number of the only row.
  int64_t number(const std::string& sql) { return rows(sql).number(0, 0); }
  std::string text(const std::string& sql) { return std::string(rows(sql).bytes(0, 0)); }

  // Lets time pass: what a real server does has no other clock.
  static void wait_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

  // The name of a schema that nobody has yet.
  static std::string new_schema() {
    static int last = 0;
    return fmt::format("test_{}", ++last);
  }

 private:
  TestPostgres(std::string programs, const std::string& parent) : programs_(std::move(programs)) {
    const std::string root =
        !parent.empty() ? parent
                        : (std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp");
    directory_ = fmt::format("{}/firn-postgres-{:016x}", root, posix_env()->random_u64());
    std::filesystem::create_directory(directory_);
    if (geteuid() != 0) return;
    const passwd* user = getpwnam("postgres");
    if (user == nullptr) fail("no user postgres, and PostgreSQL refuses to run as root");
    if (chown(directory_.c_str(), user->pw_uid, user->pw_gid) != 0) fail("chown " + directory_);
  }

  [[noreturn]] static void fail(const std::string& what) {
    std::fprintf(stderr, "TestPostgres: %s\n", what.c_str());
    std::abort();
  }

  static std::string find_programs() {
    for (int version = 18; version >= 14; --version) {
      const std::string directory = fmt::format("/usr/lib/postgresql/{}/bin", version);
      if (std::filesystem::exists(directory + "/initdb")) return directory;
    }
    return "";
  }

  PostgresRows rows(const std::string& sql) {
    auto connection = PostgresConnection::open({.dsn = dsn()});
    if (!connection.ok()) fail(connection.status().to_string());
    auto result = (*connection)->query(sql);
    if (!result.ok()) fail(sql + ": " + result.status().to_string());
    if (result->rows() != 1) fail(sql + ": not one row");
    return std::move(*result);
  }

  // As the user postgres when we are root; dies with us.
  pid_t spawn(std::vector<std::string> command) {
    std::vector<std::string> all = {"/usr/bin/setpriv", "--pdeathsig", "QUIT"};
    if (geteuid() == 0) {
      all.insert(all.end(), {"--reuid=postgres", "--regid=postgres", "--clear-groups"});
    }
    all.insert(all.end(), command.begin(), command.end());
    std::vector<char*> arguments;
    for (std::string& argument : all) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    const std::string log = directory_ + "/log";
    posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    pid_t pid = -1;
    const int error = posix_spawn(&pid, all[0].c_str(), &files, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    if (error != 0) fail("cannot start " + command[0]);
    return pid;
  }

  void run_program(const std::vector<std::string>& command) {
    const pid_t pid = spawn(command);
    int status = 0;
    waitpid(pid, &status, 0);
    if (status != 0) fail(command[0] + " failed; see " + directory_ + "/log");
  }

  // A data directory as initdb makes it, once in this process: a copy takes a tenth of the time.
  static std::string template_data(const std::string& programs) {
    static const std::unique_ptr<TestPostgres> made = [&] {
      std::unique_ptr<TestPostgres> server(new TestPostgres(programs, ""));
      server->run_program({programs + "/initdb", "-D", server->directory_ + "/data", "-A", "trust",
                           "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync",
                           "--no-instructions", "--data-checksums"});
      return server;
    }();
    return made->directory_ + "/data";
  }

  void init(const std::string& settings) {
    const std::string data = directory_ + "/data";
    run_program({"/bin/cp", "-a", template_data(programs_), data});
    std::ofstream(data + "/postgresql.conf", std::ios::app)
        << "listen_addresses = ''\nunix_socket_directories = '" << directory_
        << "'\nshared_buffers = 64MB\nmax_connections = 40\nlog_checkpoints = off\n"
        << settings << "\n";
  }

  void spawn_server() { pid_ = spawn({programs_ + "/postgres", "-D", directory_ + "/data"}); }

  bool is_running() {
    if (pid_ <= 0) return false;
    if (waitpid(pid_, nullptr, WNOHANG) == 0) return true;
    pid_ = -1;
    return false;
  }
  void reap() {
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  void signal_server(int signal) {
    if (pid_ > 0) kill(pid_, signal);
  }
  void signal_all(int signal) {
    if (pid_ <= 0) return;
    // The parent first, so that it starts no others meanwhile.
    const std::vector<pid_t> children = children_of(pid_);
    kill(pid_, signal);
    for (const pid_t child : children) kill(child, signal);
    for (const pid_t child : children_of(pid_)) kill(child, signal);
  }
  static std::vector<pid_t> children_of(pid_t parent) {
    std::vector<pid_t> children;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const std::string name = entry.path().filename();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      std::ifstream stat(entry.path() / "stat");
      std::string line;
      if (!std::getline(stat, line)) continue;  // the process is gone
      const size_t end = line.rfind(')');       // of the name, which may have blanks
      if (end == std::string::npos || line.size() < end + 5) continue;
      if (std::strtol(line.c_str() + end + 4, nullptr, 10) == parent) {
        children.push_back(static_cast<pid_t>(std::stol(name)));
      }
    }
    return children;
  }

  const std::string programs_;
  std::string directory_;
  pid_t pid_ = -1;
};

}  // namespace firn
