#include "server/http_server.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <csignal>
#include <vector>

#include "base/mutex.h"
#include "server/http_connection.h"

namespace firn {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr auto kSweepInterval = std::chrono::milliseconds(100);

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string http_date(TimeNs now) {
  constexpr const char* kDays[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const CivilTime civil = civil_from_time(now);
  const int64_t day = interval_start(now, kDayNs) / kDayNs;
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[((day % 7) + 7) % 7],
                     civil.day, kMonths[civil.month - 1], civil.year, civil.hour, civil.minute,
                     civil.second);
}

// The system gives a process few descriptors until it asks for those it may have.
void allow_many_sockets() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void refresh_date(IoThread* thread) {
  const TimeNs now = thread->shared->env->now();
  const int64_t second = interval_start(now, kSecondNs);
  if (second == thread->date_second) return;
  thread->date_second = second;
  thread->date = http_date(now);
}

asio::awaitable<void> sweep_connections(IoThread* thread) {
  while (!thread->stopping) {
    thread->sweep_timer.expires_after(kSweepInterval);
    co_await thread->sweep_timer.async_wait(kToken);
    refresh_date(thread);
    const TimeNs now = thread->shared->env->monotonic();
    for (HttpConnection* connection : thread->connections) connection->sweep(now);
  }
}

// Holds the connection while its coroutine runs.
asio::awaitable<void> serve(std::shared_ptr<HttpConnection> connection) {
  co_await connection->run();
}

}  // namespace

std::string ListenAddress::to_string() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const Status malformed =
      invalid_argument("'" + std::string(text) +
                       "' is no address; write ADDRESS:PORT, such as 127.0.0.1:7311, [::1]:7311 "
                       "or 0.0.0.0:7311");
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return malformed;
  std::string host(text.substr(0, colon));
  const std::string_view port_text = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  ListenAddress address;
  const auto [end, port_error] =
      std::from_chars(port_text.data(), port_text.data() + port_text.size(), address.port);
  error_code address_error;
  const auto numeric = asio::ip::make_address(host, address_error);
  if (address_error || port_error != std::errc() || port_text.empty() ||
      end != port_text.data() + port_text.size()) {
    return malformed;
  }
  address.host = numeric.to_string();
  address.is_loopback = numeric.is_loopback();
  return address;
}

struct HttpServer::Parts {
  struct Listener {
    explicit Listener(asio::io_context& context) : acceptor(context), pause(context) {}
    asio::ip::tcp::acceptor acceptor;
    asio::steady_timer pause;
    const Router* router = nullptr;
    bool check_host = false;
  };

  HttpShared shared;
  std::vector<std::unique_ptr<IoThread>> threads;
  std::vector<std::unique_ptr<Listener>> listeners;  // all on the first thread
  std::unique_ptr<asio::signal_set> signals;
  size_t next_thread = 0;
  bool started = false;

  asio::awaitable<void> accept(Listener* listener);
  void adopt(asio::ip::tcp::socket socket, IoThread* thread, const Listener* listener);
};

HttpServer::HttpServer(Env* env, const HttpOptions& options, ServerMetrics* metrics)
    : parts_(std::make_unique<Parts>()) {
  parts_->shared.env = env;
  parts_->shared.options = options;
  parts_->shared.metrics = metrics;
  for (uint32_t i = 0; i < options.threads; ++i) {
    parts_->threads.push_back(std::make_unique<IoThread>(&parts_->shared));
  }
}

HttpServer::~HttpServer() {
  stop(0);
  // These refer to the first thread's context.
  parts_->signals.reset();
  parts_->listeners.clear();
}

Result<ListenAddress> HttpServer::listen(const ListenAddress& address, const Router* router) {
  FIRN_CHECK(!parts_->started);
  auto listener = std::make_unique<Parts::Listener>(parts_->threads[0]->context);
  listener->router = router;
  listener->check_host = address.is_loopback;
  error_code error;
  const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(address.host), address.port);
  asio::ip::tcp::acceptor& acceptor = listener->acceptor;
  acceptor.open(endpoint.protocol(), error);
  if (!error && address.only_ipv6) acceptor.set_option(asio::ip::v6_only(true), error);
  if (!error) acceptor.set_option(asio::ip::tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(1024, error);
  if (error == asio::error::address_in_use) {
    return conflict("another program listens on " + address.to_string() +
                    "; stop it or choose another address");
  }
  if (error) return io_error("cannot listen on " + address.to_string() + ": " + error.message());
  ListenAddress bound = address;
  bound.port = acceptor.local_endpoint(error).port();
  parts_->listeners.push_back(std::move(listener));
  return bound;
}

// On the connection's thread from here on.
void HttpServer::Parts::adopt(asio::ip::tcp::socket socket, IoThread* thread,
                              const Listener* listener) {
  auto connection = std::make_shared<HttpConnection>(thread, std::move(socket), listener->router,
                                                     listener->check_host);
  if (thread->stopping) return;
  asio::co_spawn(thread->context, serve(std::move(connection)),
                 [](const std::exception_ptr& failure) {
                   // Out of memory, most likely: only this connection goes.
                   if (failure != nullptr)
                     spdlog::error("a connection was given up: out of memory?");
                 });
}

asio::awaitable<void> HttpServer::Parts::accept(Listener* listener) {
  while (listener->acceptor.is_open()) {
    IoThread* const thread = threads[next_thread++ % threads.size()].get();
    asio::ip::tcp::socket socket(thread->context);
    const auto [error] = co_await listener->acceptor.async_accept(socket, kToken);
    if (error == asio::error::operation_aborted) co_return;
    if (error) {
      // Out of descriptors, perhaps: some will come back.
      spdlog::warn("cannot accept a connection: {}", error.message());
      listener->pause.expires_after(kSweepInterval);
      co_await listener->pause.async_wait(kToken);
      continue;
    }
    if (shared.connections.fetch_add(1) >= shared.options.connections) {
      shared.connections.fetch_sub(1);
      shared.metrics->connections_refused.add();
      continue;
    }
    asio::post(thread->context, [this, thread, listener, accepted = std::move(socket)]() mutable {
      adopt(std::move(accepted), thread, listener);
    });
  }
}

void HttpServer::start() {
  parts_->started = true;
  allow_many_sockets();
  for (auto& listener : parts_->listeners) {
    asio::co_spawn(parts_->threads[0]->context, parts_->accept(listener.get()), asio::detached);
  }
  for (auto& thread : parts_->threads) {
    refresh_date(thread.get());
    asio::co_spawn(thread->context, sweep_connections(thread.get()), asio::detached);
    thread->thread = std::thread([io = thread.get()] { io->context.run(); });
  }
}

void HttpServer::stop(DurationNs grace) {
  if (!parts_->started) return;
  parts_->started = false;
  asio::post(parts_->threads[0]->context, [this] {
    error_code ignored;
    for (auto& listener : parts_->listeners) {
      listener->acceptor.close(ignored);
      listener->pause.cancel();
    }
    if (parts_->signals != nullptr) parts_->signals->cancel(ignored);
  });
  for (auto& thread : parts_->threads) {
    asio::post(thread->context, [io = thread.get()] {
      io->stopping = true;
      io->sweep_timer.cancel();
      for (HttpConnection* connection : io->connections) connection->begin_stop();
    });
  }
  Mutex mutex;
  CondVar never;
  const TimeNs end = parts_->shared.env->monotonic() + grace;
  while (parts_->shared.connections.load() > 0 && parts_->shared.env->monotonic() < end) {
    MutexLock lock(&mutex);
    never.wait_for(&mutex, std::chrono::milliseconds(2));
  }
  for (auto& thread : parts_->threads) {
    asio::post(thread->context, [io = thread.get()] {
      for (HttpConnection* connection : io->connections) connection->kill();
      // What is ready still runs: coroutines whose sockets were just closed end properly.
      asio::post(io->context, [io] { io->context.stop(); });
    });
    thread->thread.join();
  }
}

void HttpServer::on_termination(std::function<void()> function) {
  FIRN_CHECK(parts_->started);
  asio::post(parts_->threads[0]->context, [this, function = std::move(function)] {
    parts_->signals =
        std::make_unique<asio::signal_set>(parts_->threads[0]->context, SIGTERM, SIGINT);
    parts_->signals->async_wait([function](const error_code& error, int) {
      if (!error) function();
    });
  });
}

struct WorkPool::Parts {
  explicit Parts(uint32_t threads) : pool(std::make_unique<asio::thread_pool>(threads)) {}
  Mutex mutex;
  std::unique_ptr<asio::thread_pool> pool GUARDED_BY(mutex);  // null once stopped
};

WorkPool::WorkPool(uint32_t threads) : parts_(std::make_unique<Parts>(threads)) {}
WorkPool::~WorkPool() { stop(); }

void WorkPool::post(std::function<void()> work) {
  MutexLock lock(&parts_->mutex);
  if (parts_->pool != nullptr) asio::post(*parts_->pool, std::move(work));
}

void WorkPool::stop() {
  std::unique_ptr<asio::thread_pool> pool;
  {
    MutexLock lock(&parts_->mutex);
    pool = std::move(parts_->pool);
  }
  if (pool == nullptr) return;
  pool->stop();
  pool->join();
  // What was dropped is destroyed with the pool, so here and not at some later time.
}

}  // namespace firn
