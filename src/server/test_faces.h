#pragma once

// The faces over a real store in a temporary directory, without sockets. For tests only.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "env/test_directory.h"
#include "server/api_face.h"
#include "server/http_server.h"
#include "server/ops_face.h"
#include "server/otlp_face.h"
#include "server/router.h"
#include "server/services.h"
#include "views/metrics/rollup_keeper.h"
#include "views/subscriptions/subscriptions.h"

namespace firn {

// Waits for what another thread delivers.
template <typename T>
class Awaited {
 public:
  void set(T value) {
    MutexLock lock(&mutex_);
    value_ = std::move(value);
    changed_.notify_all();
  }
  // Nothing when it takes longer than 20 seconds.
  std::optional<T> get() {
    MutexLock lock(&mutex_);
    while (!value_.has_value()) {
      if (!changed_.wait_for(&mutex_, std::chrono::seconds(20))) return std::nullopt;
    }
    return std::exchange(value_, std::nullopt);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::optional<T> value_ GUARDED_BY(mutex_);
};

// Header fields of a request.
struct RequestFields {
  std::string content_type{}, content_encoding{}, accept{}, last_event_id{}, firn_namespace{},
      firn_ack{};
};

class FaceTest : public ::testing::Test {
 protected:
  FaceTest() {
    services_.env = posix_env();
    services_.metrics = &metrics_;
    services_.query_executor = [this](std::function<void()> work) { pool_->post(std::move(work)); };
    services_.tail_executor = services_.query_executor;
    services_.health_executor = services_.query_executor;
    router_ = std::make_unique<Router>(
        std::vector<Face>{api_face(&services_), otlp_face(&services_), ops_face(&services_)},
        &metrics_);
  }

  void SetUp() override { open_store(); }

  void TearDown() override {
    pool_->stop();
    services_.gate->close().reset();
  }

  void open_store() {
    StoreOptions options = default_store_options(directory_.file("data"));
    options.mover_interval_ns = 20 * kMillisecondNs;
    // Nothing moves unless a test says so.
    options.tiers[0].keep_ns = 36'500 * kDayNs;
    options.tiers[1].keep_ns = 36'500 * kDayNs;
    TierConfig lake;
    lake.name = "lake";
    lake.backend = "parquet";
    lake.directory = directory_.file("lake");
    options.exports = {lake};
    auto store = Store::open(posix_env(), options);
    ASSERT_TRUE(store.ok()) << store.status().to_string();
    auto engine = Engine::open(posix_env(), EngineOptions{});
    ASSERT_TRUE(engine.ok()) << engine.status().to_string();
    auto open = std::make_shared<OpenStore>();
    open->store = std::move(*store);
    open->subscriptions = std::make_unique<Subscriptions>(posix_env(), open->store.get());
    open->rollups = std::make_unique<RollupKeeper>(posix_env(), open->store.get());
    open->engine = std::move(*engine);
    services_.gate->open(std::move(open));
  }

  static HttpRequestPtr make_request(HttpMethod method, const std::string& target,
                                     std::string body = {}, const RequestFields& options = {}) {
    auto request = std::make_shared<HttpRequest>();
    request->method = method;
    const size_t question = std::min(target.find('?'), target.size());
    request->path = target.substr(0, question);
    if (question < target.size()) request->query = target.substr(question + 1);
    request->body = std::move(body);
    request->content_type = options.content_type;
    request->content_encoding = options.content_encoding;
    request->accept = options.accept;
    request->last_event_id = options.last_event_id;
    request->firn_namespace = options.firn_namespace;
    request->firn_ack = options.firn_ack;
    return request;
  }

  HttpResponse ask(const HttpRequestPtr& request) {
    auto answer = std::make_shared<Awaited<HttpResponse>>();
    router_->handle(
        request, Responder([answer](HttpResponse response) { answer->set(std::move(response)); }));
    auto response = answer->get();
    EXPECT_TRUE(response.has_value()) << "no answer to " << request->path;
    return response.has_value() ? std::move(*response) : HttpResponse{};
  }
  HttpResponse get(const std::string& target, const RequestFields& options = {}) {
    return ask(make_request(HttpMethod::kGet, target, {}, options));
  }
  HttpResponse post(const std::string& target, std::string body,
                    const RequestFields& options = {}) {
    return ask(make_request(HttpMethod::kPost, target, std::move(body), options));
  }
  HttpResponse put(const std::string& target, std::string body = {}) {
    return ask(make_request(HttpMethod::kPut, target, std::move(body)));
  }
  HttpResponse remove(const std::string& target) {
    return ask(make_request(HttpMethod::kDelete, target));
  }

  // In the namespace "default": "events" + "?type=a".
  static std::string in_default(const std::string& rest) {
    return "/api/v1/namespaces/default/" + rest;
  }
  HttpResponse append(std::string body, const RequestFields& options = {}) {
    return post(in_default("events"), std::move(body), options);
  }

  TestDirectory directory_;
  ServerMetrics metrics_;
  Services services_;
  std::unique_ptr<WorkPool> pool_ = std::make_unique<WorkPool>(2);
  std::unique_ptr<Router> router_;
};

}  // namespace firn
