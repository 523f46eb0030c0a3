#include "server/server.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <optional>

#include "base/mutex.h"
#include "server/api_face.h"
#include "server/eventodb_face.h"
#include "server/grpc_server.h"
#include "server/guardia_face.h"
#include "server/influx_face.h"
#include "server/ops_face.h"
#include "server/otlp_face.h"
#include "server/otlp_grpc.h"
#include "server/services.h"
#include "views/metrics/rollup_keeper.h"
#include "views/subscriptions/subscriptions.h"

namespace firn {

namespace {

constexpr DurationNs kStopGrace = 50 * kMillisecondNs;
constexpr uint32_t kTailThreads = 2;
constexpr uint32_t kHealthThreads = 1;
constexpr uint32_t kEngineThreads = 2;

}  // namespace

// Declared so that what uses something goes before it: workers and pools are stopped explicitly,
// then the store, then the connections, whose coroutines may hold tails and requests.
struct Server::Parts {
  Parts(Env* environment, const ServerConfig& server_config)
      : env(environment), config(server_config) {}

  Env* const env;
  const ServerConfig config;
  ServerMetrics metrics;
  Services services;
  std::unique_ptr<Router> api_router;
  std::unique_ptr<Router> otlp_router;
  std::unique_ptr<HttpServer> http;
  std::unique_ptr<GrpcServer> grpc;
  std::vector<ListenAddress> addresses;
  std::unique_ptr<WorkPool> query_pool;
  std::unique_ptr<WorkPool> tail_pool;
  std::unique_ptr<WorkPool> health_pool;
  std::unique_ptr<Worker> opener;

  mutable Mutex mutex;
  CondVar changed;
  bool open_done GUARDED_BY(mutex) = false;
  Status open_status GUARDED_BY(mutex);
  bool stop_asked GUARDED_BY(mutex) = false;  // wait() returns
  bool stopped GUARDED_BY(mutex) = false;
  bool stopping GUARDED_BY(mutex) = false;
  bool fenced GUARDED_BY(mutex) = false;

  Status listen();
  // An address that is taken is an error only when it was asked for.
  Status listen_for_otlp(const OptionalAddress& wanted,
                         const std::function<Status(const ListenAddress&)>& open);
  void start();
  Result<OpenStorePtr> open_store();
  void open_in_background() EXCLUDES(mutex);
  void ask_to_stop() EXCLUDES(mutex) {
    MutexLock lock(&mutex);
    stop_asked = true;
    changed.notify_all();
  }
};

Status Server::Parts::listen() {
  HttpOptions options = config.http;
  options.body_bytes = std::min(options.body_bytes, services.limits.request_bytes);
  http = std::make_unique<HttpServer>(env, options, &metrics);
  FIRN_ASSIGN(const ListenAddress api, parse_listen_address(config.listen));
  FIRN_ASSIGN(ListenAddress bound, http->listen(api, api_router.get()));
  addresses.push_back(std::move(bound));
  if (!config.also_listen.empty()) {
    FIRN_ASSIGN(ListenAddress other, parse_listen_address(config.also_listen));
    other.only_ipv6 = true;  // the other one may be that of all IPv4 addresses
    const auto opened = http->listen(other, api_router.get());
    if (!opened.ok()) spdlog::warn("{}", opened.status().message());
  }
  FIRN_TRY(listen_for_otlp(config.otlp_http, [this](const ListenAddress& address) -> Status {
    FIRN_ASSIGN(ListenAddress otlp, http->listen(address, otlp_router.get()));
    addresses.push_back(std::move(otlp));
    return Status();
  }));
  return listen_for_otlp(config.otlp_grpc, [this](const ListenAddress& address) -> Status {
    GrpcOptions grpc_options;
    grpc_options.threads = config.http.threads;
    grpc_options.message_bytes = services.limits.request_bytes;
    grpc_options.request_memory_bytes = config.http.request_memory_bytes;
    FIRN_ASSIGN(grpc, GrpcServer::start(env, address, grpc_options, otlp_grpc_handler(&services)));
    return Status();
  });
}

Status Server::Parts::listen_for_otlp(const OptionalAddress& wanted,
                                      const std::function<Status(const ListenAddress&)>& open) {
  if (wanted.is_off()) return Status();
  FIRN_ASSIGN(const ListenAddress address, parse_listen_address(wanted.text));
  Status opened = open(address);
  if (opened.ok() || !wanted.is_default) return opened;
  spdlog::warn("{}; OTLP is served on {} only", opened.message(), addresses[0].to_string());
  return Status();
}

void Server::Parts::start() {
  const auto on_pool = [](WorkPool* pool) -> Executor {
    return [pool](std::function<void()> work) { pool->post(std::move(work)); };
  };
  query_pool = std::make_unique<WorkPool>(config.query_threads);
  tail_pool = std::make_unique<WorkPool>(kTailThreads);
  health_pool = std::make_unique<WorkPool>(kHealthThreads);
  services.query_executor = on_pool(query_pool.get());
  services.tail_executor = on_pool(tail_pool.get());
  services.health_executor = on_pool(health_pool.get());
  http->start();
  opener = env->start_worker("firn-open", [this] { open_in_background(); });
  opener->notify();
}

Result<OpenStorePtr> Server::Parts::open_store() {
  auto open = std::make_shared<OpenStore>();
  FIRN_ASSIGN(open->store, Store::open(env, config.store, [this](uint64_t done, uint64_t total) {
                services.gate->set_progress(done, total);
              }));
  open->subscriptions = std::make_unique<Subscriptions>(env, open->store.get());
  open->rollups = std::make_unique<RollupKeeper>(env, open->store.get());
  FIRN_TRY(prepare_eventodb(env, open->store.get(), config.eventodb));
  EngineOptions engine_options;
  engine_options.threads = kEngineThreads;
  engine_options.memory_bytes = services.statement_memory->bytes_max();
  engine_options.temp_directory = join_path(config.store.data_dir, "tmp");
  engine_options.temp_reserve_bytes = config.store.disk_reserve_bytes;
  FIRN_ASSIGN(open->engine, Engine::open(env, engine_options));
  open->keep_rollups(env);
  return open;
}

void Server::Parts::open_in_background() {
  {
    MutexLock lock(&mutex);
    if (open_done || stopping) return;
  }
  Result<OpenStorePtr> open = open_store();
  if (open.ok()) {
    services.gate->open(std::move(*open));
  } else {
    services.gate->fail(open.status());
  }
  MutexLock lock(&mutex);
  open_done = true;
  open_status = open.status();
  changed.notify_all();
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Server::~Server() { stop(); }

Result<std::unique_ptr<Server>> Server::start(Env* env, const ServerConfig& config) {
  FIRN_TRY(validate_config(config));
  auto parts = std::make_unique<Parts>(env, config);
  Services* services = &parts->services;
  services->env = env;
  services->metrics = &parts->metrics;
  services->limits = config.limits;
  // One request may not take all there is for requests.
  services->limits.request_bytes =
      std::min(config.limits.request_bytes, config.http.request_memory_bytes / 2);
  services->statement_memory = std::make_shared<MemoryBudget>(config.limits.query_memory_bytes / 2);
  services->answer_memory = std::make_shared<MemoryBudget>(config.limits.query_memory_bytes / 2);
  services->unpacked_memory = std::make_shared<MemoryBudget>(config.http.request_memory_bytes);
  services->texts = std::make_shared<TextMemory>(config.memory_bytes / 64);
  services->series_cache =
      std::make_shared<SeriesCache>(config.memory_bytes / 16, env->random_u64());
  services->otlp_namespace = config.otlp_namespace;
  services->eventodb_test_mode = config.eventodb.test_mode;
  std::vector<Face> faces{eventodb_face(services), ops_face(services)};
  if (!config.eventodb.drop_in) {
    faces.push_back(api_face(services));
    faces.push_back(otlp_face(services));
    faces.push_back(influx_face(services));
    faces.push_back(guardia_face(services));
  }
  parts->api_router = std::make_unique<Router>(
      faces, &parts->metrics, config.eventodb.drop_in ? eventodb_route_error : nullptr);
  parts->otlp_router =
      std::make_unique<Router>(std::vector<Face>{otlp_face(services)}, &parts->metrics);
  FIRN_TRY(parts->listen());
  parts->start();
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

std::vector<std::string> Server::addresses() const {
  std::vector<std::string> texts;
  for (const ListenAddress& address : parts_->addresses) texts.push_back(address.to_string());
  return texts;
}

std::optional<std::string> Server::grpc_address() const {
  if (parts_->grpc == nullptr) return std::nullopt;
  return parts_->grpc->address().to_string();
}

uint16_t Server::port() const { return parts_->addresses[0].port; }

Status Server::wait_ready() {
  MutexLock lock(&parts_->mutex);
  while (!parts_->open_done && !parts_->stopping) parts_->changed.wait(&parts_->mutex);
  return parts_->open_done ? parts_->open_status : cancelled("the server was stopped");
}

Status Server::wait() {
  MutexLock lock(&parts_->mutex);
  while (!parts_->stop_asked && parts_->open_status.ok()) parts_->changed.wait(&parts_->mutex);
  return parts_->open_status;
}

void Server::stop_on_signals() {
  parts_->http->on_termination([parts = parts_.get()] { parts->ask_to_stop(); });
}

void Server::stop() {
  {
    MutexLock lock(&parts_->mutex);
    if (parts_->stopping) {
      while (!parts_->stopped) parts_->changed.wait(&parts_->mutex);
      return;
    }
    parts_->stopping = true;
    parts_->stop_asked = true;
    parts_->changed.notify_all();
  }
  parts_->http->stop(kStopGrace);
  if (parts_->grpc != nullptr) parts_->grpc->stop(kStopGrace);
  parts_->opener.reset();  // waits for a store that is being opened
  parts_->query_pool->stop();
  parts_->tail_pool->stop();
  parts_->health_pool->stop();
  OpenStorePtr open = parts_->services.gate->close();
  const bool fenced = open != nullptr && open->store->health().fenced;
  // Nobody else holds it: handlers and pools have ended, and callbacks never hold it.
  FIRN_CHECK(open.use_count() <= 1);
  open.reset();
  parts_->http.reset();
  MutexLock lock(&parts_->mutex);
  parts_->fenced = fenced;
  parts_->stopped = true;
  parts_->changed.notify_all();
}

int Server::exit_code() const {
  MutexLock lock(&parts_->mutex);
  if (parts_->fenced) return 4;
  return parts_->open_status.ok() ? 0 : 1;
}

}  // namespace firn
