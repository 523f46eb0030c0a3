#pragma once

// For tests: an HTTP/1.1 server in this process that answers as it is told to, also in ways that no
// good server would.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "tier/object/sigv4.h"

namespace firn {

struct TestHttpRequest {
  std::string method;
  std::string path;    // as sent
  std::string query;   // as sent, without '?'
  NameValues headers;  // names in lower case
  std::string body;

  std::string header(std::string_view name) const;
};

// How an answer leaves the server.
enum class TestDelivery : uint8_t {
  kWhole,
  kHalf,     // half of the body, then the connection is closed
  kNothing,  // the connection is closed
  kStall,    // nothing until the client gives up
  kSlow,     // 1 KiB a second
};

struct TestHttpAnswer {
  int status = 200;
  NameValues headers = {};
  std::string body = {};
  TestDelivery delivery = TestDelivery::kWhole;
  bool is_head = false;  // announce the length of the body, and do not send it
};

class TestTls;

class TestHttpListener {
 public:
  using Handler = std::function<TestHttpAnswer(const TestHttpRequest&)>;

  // Listens on a free port of 127.0.0.1. The handler is called by one thread per connection. With
  // `use_tls` it presents a certificate for 127.0.0.1 that nobody trusts.
  explicit TestHttpListener(Handler handler, bool use_tls = false);
  ~TestHttpListener();
  TestHttpListener(const TestHttpListener&) = delete;
  TestHttpListener& operator=(const TestHttpListener&) = delete;

  // "http://127.0.0.1:<port>", or https
  std::string endpoint() const;
  // PEM of the certificate, for clients that are to trust it.
  std::string certificate() const;
  uint64_t connections() const { return connections_; }

 private:
  class Connection;
  void accept_all();
  void serve(int descriptor);
  bool deliver(Connection* connection, const TestHttpAnswer& answer);
  bool send_slowly(Connection* connection, std::string_view bytes) EXCLUDES(mutex_);

  const Handler handler_;
  std::unique_ptr<TestTls> tls_;
  int listening_ = -1;
  uint16_t port_ = 0;
  std::atomic<uint64_t> connections_ = 0;
  Mutex mutex_;
  CondVar stopping_changed_;
  bool is_stopping_ GUARDED_BY(mutex_) = false;
  std::set<int> open_ GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ GUARDED_BY(mutex_);
  std::thread acceptor_;
};

}  // namespace firn
