#include "tier/object/test_http_listener.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>

#include "base/status.h"

namespace firn {

namespace {

constexpr size_t kSlowPieceBytes = 256;  // four times a second
constexpr std::string_view kHeadEnd = "\r\n\r\n";

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

TestHttpRequest parse_head(std::string_view head) {
  TestHttpRequest request;
  const std::string_view line = head.substr(0, head.find("\r\n"));
  const size_t first = line.find(' '), second = line.rfind(' ');
  request.method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, second - first - 1);
  const size_t mark = std::min(target.find('?'), target.size());
  request.path = target.substr(0, mark);
  request.query = target.substr(std::min(mark + 1, target.size()));
  for (size_t at = line.size() + 2; at < head.size();) {
    const size_t end = std::min(head.find("\r\n", at), head.size());
    const std::string_view field = head.substr(at, end - at);
    const size_t colon = field.find(':');
    if (colon != std::string_view::npos) {
      const size_t value = std::min(field.find_first_not_of(' ', colon + 1), field.size());
      request.headers.emplace_back(lower_case(field.substr(0, colon)), field.substr(value));
    }
    at = end + 2;
  }
  return request;
}

}  // namespace

std::string TestHttpRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return "";
}

// A key and a certificate of its own.
class TestTls {
 public:
  TestTls() : key_(EVP_EC_gen("P-256")), certificate_(X509_new()) {
    X509_set_version(certificate_, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate_), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate_), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate_), 3600);
    X509_set_pubkey(certificate_, key_);
    X509_NAME* name = X509_get_subject_name(certificate_);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("firn test"), -1, -1, 0);
    X509_set_issuer_name(certificate_, name);
    X509_EXTENSION* alternative =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
    X509_add_ext(certificate_, alternative, -1);
    X509_EXTENSION_free(alternative);
    FIRN_CHECK(X509_sign(certificate_, key_, EVP_sha256()) > 0);
    context_ = SSL_CTX_new(TLS_server_method());
    FIRN_CHECK(SSL_CTX_use_certificate(context_, certificate_) == 1);
    FIRN_CHECK(SSL_CTX_use_PrivateKey(context_, key_) == 1);
  }
  ~TestTls() {
    SSL_CTX_free(context_);
    X509_free(certificate_);
    EVP_PKEY_free(key_);
  }
  TestTls(const TestTls&) = delete;
  TestTls& operator=(const TestTls&) = delete;

  SSL_CTX* context() const { return context_; }
  std::string pem() const {
    BIO* memory = BIO_new(BIO_s_mem());
    FIRN_CHECK(PEM_write_bio_X509(memory, certificate_) == 1);
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(memory, &bytes);
    std::string text(bytes, static_cast<size_t>(size));
    BIO_free(memory);
    return text;
  }

 private:
  EVP_PKEY* key_;
  X509* certificate_;
  SSL_CTX* context_ = nullptr;
};

// One connection, with or without TLS. Closes nothing; the listener owns the descriptor.
class TestHttpListener::Connection {
 public:
  Connection(int descriptor, const TestTls* tls) : descriptor_(descriptor) {
    if (tls == nullptr) return;
    ssl_ = SSL_new(tls->context());
    SSL_set_fd(ssl_, descriptor);
    is_good_ = SSL_accept(ssl_) == 1;
  }
  ~Connection() { SSL_free(ssl_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool is_good() const { return is_good_; }

  // False when the client is gone.
  bool receive(std::string* to) {
    char bytes[65536];
    const ssize_t got = ssl_ != nullptr ? SSL_read(ssl_, bytes, sizeof(bytes))
                                        : ::recv(descriptor_, bytes, sizeof(bytes), 0);
    if (got > 0) to->append(bytes, static_cast<size_t>(got));
    return got > 0;
  }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ssl_ != nullptr
                               ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                               : ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  // False at the end of the connection.
  bool read_request(TestHttpRequest* request) {
    size_t end = unread_.find(kHeadEnd);
    for (; end == std::string::npos; end = unread_.find(kHeadEnd)) {
      if (!receive(&unread_)) return false;
    }
    *request = parse_head(std::string_view(unread_).substr(0, end));
    unread_.erase(0, end + kHeadEnd.size());
    const size_t length = std::strtoull(request->header("content-length").c_str(), nullptr, 10);
    while (unread_.size() < length) {
      if (!receive(&unread_)) return false;
    }
    request->body = unread_.substr(0, length);
    unread_.erase(0, length);
    return true;
  }

 private:
  const int descriptor_;
  SSL* ssl_ = nullptr;
  bool is_good_ = true;
  std::string unread_;
};

TestHttpListener::TestHttpListener(Handler handler, bool use_tls)
    : handler_(std::move(handler)), tls_(use_tls ? std::make_unique<TestTls>() : nullptr) {
  // As the firn program does: OpenSSL may write to a client that hung up.
  std::signal(SIGPIPE, SIG_IGN);
  listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  FIRN_CHECK(::bind(listening_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  socklen_t size = sizeof(address);
  FIRN_CHECK(::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  FIRN_CHECK(::listen(listening_, 64) == 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

TestHttpListener::~TestHttpListener() {
  std::vector<std::thread> threads;
  {
    const MutexLock lock(&mutex_);
    is_stopping_ = true;
    stopping_changed_.notify_all();
    for (const int descriptor : open_) ::shutdown(descriptor, SHUT_RDWR);
  }
  ::shutdown(listening_, SHUT_RDWR);
  acceptor_.join();
  ::close(listening_);
  {
    const MutexLock lock(&mutex_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

std::string TestHttpListener::endpoint() const {
  return fmt::format("{}://127.0.0.1:{}", tls_ != nullptr ? "https" : "http", port_);
}

std::string TestHttpListener::certificate() const { return tls_->pem(); }

void TestHttpListener::accept_all() {
  for (;;) {
    const int descriptor = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor < 0) return;
    ++connections_;
    const MutexLock lock(&mutex_);
    if (is_stopping_) {
      ::close(descriptor);
      return;
    }
    open_.insert(descriptor);
    threads_.emplace_back([this, descriptor] { serve(descriptor); });
  }
}

void TestHttpListener::serve(int descriptor) {
  {
    Connection connection(descriptor, tls_.get());
    TestHttpRequest request;
    while (connection.is_good() && connection.read_request(&request)) {
      if (!deliver(&connection, handler_(request))) break;
    }
  }
  const MutexLock lock(&mutex_);
  open_.erase(descriptor);
  ::close(descriptor);
}

bool TestHttpListener::deliver(Connection* connection, const TestHttpAnswer& answer) {
  if (answer.delivery == TestDelivery::kNothing) return false;
  if (answer.delivery == TestDelivery::kStall) {
    std::string ignored;
    while (connection->receive(&ignored)) {
    }
    return false;
  }
  std::string bytes = fmt::format("HTTP/1.1 {} Answer\r\n", answer.status);
  for (const auto& [name, value] : answer.headers) bytes += fmt::format("{}: {}\r\n", name, value);
  if (answer.status != 204) bytes += fmt::format("Content-Length: {}\r\n", answer.body.size());
  bytes += "\r\n";
  if (answer.is_head) return connection->send(bytes);
  if (answer.delivery == TestDelivery::kSlow) {
    return connection->send(bytes) && send_slowly(connection, answer.body);
  }
  const bool is_half = answer.delivery == TestDelivery::kHalf;
  bytes.append(answer.body, 0, is_half ? answer.body.size() / 2 : answer.body.size());
  return connection->send(bytes) && !is_half;
}

bool TestHttpListener::send_slowly(Connection* connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t piece = std::min(bytes.size(), kSlowPieceBytes);
    if (!connection->send(bytes.substr(0, piece))) return false;
    bytes.remove_prefix(piece);
    const MutexLock lock(&mutex_);
    if (!is_stopping_) stopping_changed_.wait_for(&mutex_, std::chrono::milliseconds(250));
    if (is_stopping_) return false;
  }
  return true;
}

}  // namespace firn
