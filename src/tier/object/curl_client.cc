#include "tier/object/curl_client.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace firn {

namespace {

constexpr size_t kIdleHandlesMax = 16;
constexpr size_t kBodyBytesMax = 16 * kMiB;  // of answers that are taken whole: lists, errors

bool is_link_local_v4(uint32_t address) { return (address >> 16) == 0xa9fe; }

// 169.254.0.0/16, also as an IPv6 address, and fe80::/10.
bool is_link_local(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof(v4));
    return is_link_local_v4(ntohl(v4.sin_addr.s_addr));
  }
  if (address->sa_family != AF_INET6) return false;
  sockaddr_in6 v6{};
  std::memcpy(&v6, address, sizeof(v6));
  const unsigned char* bytes = v6.sin6_addr.s6_addr;
  if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) return true;
  if (!IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) return false;
  uint32_t mapped = 0;
  std::memcpy(&mapped, bytes + 12, sizeof(mapped));
  return is_link_local_v4(ntohl(mapped));
}

void init_library() {
  static const bool done = [] {
    FIRN_CHECK(curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK);
    return true;
  }();
  (void)done;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != std::string_view::npos) {
    text.remove_suffix(1);
  }
  return text;
}

template <typename Value>
void set(CURL* handle, CURLoption option, Value value) {
  FIRN_CHECK(curl_easy_setopt(handle, option, value) == CURLE_OK);
}

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

}  // namespace

// What the callbacks of one transfer share.
struct CurlClient::Exchange {
  const CurlClient* client;
  const CurlRequest* request;
  CURL* handle = nullptr;
  CurlResponse response = {};
  std::unique_ptr<curl_slist, FreeList> headers = {};
  char error[CURL_ERROR_SIZE] = "";
  bool address_refused = false;
  bool too_long = false;

  static curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* address) {
    auto* exchange = static_cast<Exchange*>(self);
    if (!exchange->client->options_.allow_link_local && is_link_local(&address->addr)) {
      exchange->address_refused = true;
      return CURL_SOCKET_BAD;
    }
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  }

  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Exchange*>(self)->client->cancelled_ ? 1 : 0;
  }

  static size_t on_header(const char* bytes, size_t, size_t size, void* self) {
    auto* exchange = static_cast<Exchange*>(self);
    const std::string_view line(bytes, size);
    // An interim answer may come first; its headers do not count.
    if (line.starts_with("HTTP/")) exchange->response.headers.clear();
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos) {
      exchange->response.headers.emplace_back(lower_case(line.substr(0, colon)),
                                              trimmed(line.substr(colon + 1)));
    }
    return size;
  }

  static size_t on_body(const char* bytes, size_t, size_t size, void* self) {
    return static_cast<Exchange*>(self)->take(std::string_view(bytes, size));
  }

  // Returns how much was taken; less than all ends the transfer.
  size_t take(std::string_view bytes) {
    long status = 0;
    (void)curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    const bool to_caller = request->out != nullptr && status / 100 == 2;
    const uint64_t room = to_caller ? request->out_size : kBodyBytesMax;
    if (bytes.size() > room - response.received_bytes) {
      too_long = true;
      return 0;
    }
    if (to_caller) {
      std::memcpy(request->out + response.received_bytes, bytes.data(), bytes.size());
    } else {
      response.body.append(bytes);
    }
    response.received_bytes += bytes.size();
    return bytes.size();
  }

  Status failure(CURLcode code) const {
    const std::string why = error[0] != '\0' ? error : curl_easy_strerror(code);
    if (client->cancelled_) return cancelled("the object store is closing");
    if (address_refused) {
      return io_error("the host has a link-local address, and those are not talked to");
    }
    if (too_long) return corruption("the answer is longer than what was asked for");
    switch (code) {
      case CURLE_PARTIAL_FILE:
        return corruption("the answer is shorter than announced: " + why);
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_CACERT_BADFILE:
      case CURLE_SSL_ISSUER_ERROR:
        return io_error("the server's certificate is refused: " + why);
      case CURLE_URL_MALFORMAT:
      case CURLE_UNSUPPORTED_PROTOCOL:
        return invalid_argument("the endpoint is no address: " + why);
      default:
        return unavailable(why);
    }
  }
};

std::string_view CurlResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

CurlClient::CurlClient(const CurlOptions& options) : options_(options) { init_library(); }

CurlClient::~CurlClient() {
  const MutexLock lock(&mutex_);
  for (CURL* handle : idle_handles_) curl_easy_cleanup(handle);
}

void* CurlClient::take_handle() {
  const MutexLock lock(&mutex_);
  if (idle_handles_.empty()) {
    CURL* handle = curl_easy_init();
    FIRN_CHECK(handle != nullptr);
    return handle;
  }
  CURL* handle = idle_handles_.back();
  idle_handles_.pop_back();
  return handle;
}

void CurlClient::give_back(void* handle) {
  const MutexLock lock(&mutex_);
  if (idle_handles_.size() < kIdleHandlesMax) {
    curl_easy_reset(handle);  // keeps the connection
    idle_handles_.push_back(handle);
  } else {
    curl_easy_cleanup(handle);
  }
}

void CurlClient::set_up(void* handle, Exchange* exchange) const {
  const CurlRequest& request = *exchange->request;
  set(handle, CURLOPT_URL, request.url.c_str());
  set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  set(handle, CURLOPT_PATH_AS_IS, 1L);
  set(handle, CURLOPT_FOLLOWLOCATION, 0L);
  set(handle, CURLOPT_PROXY, "");
  set(handle, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  set(handle, CURLOPT_NOSIGNAL, 1L);
  set(handle, CURLOPT_SSL_VERIFYPEER, 1L);
  set(handle, CURLOPT_SSL_VERIFYHOST, 2L);
  set(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  if (!options_.ca_file.empty()) set(handle, CURLOPT_CAINFO, options_.ca_file.c_str());
  set(handle, CURLOPT_CONNECTTIMEOUT_MS,
      static_cast<long>(options_.connect_time_ns / kMillisecondNs));
  set(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.total_time_ns / kMillisecondNs));
  set(handle, CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(options_.low_speed_bytes));
  set(handle, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options_.low_speed_time_ns / kSecondNs));
  set(handle, CURLOPT_OPENSOCKETFUNCTION, &Exchange::open_socket);
  set(handle, CURLOPT_OPENSOCKETDATA, exchange);
  set(handle, CURLOPT_NOPROGRESS, 0L);
  set(handle, CURLOPT_XFERINFOFUNCTION, &Exchange::on_progress);
  set(handle, CURLOPT_XFERINFODATA, exchange);
  set(handle, CURLOPT_HEADERFUNCTION, &Exchange::on_header);
  set(handle, CURLOPT_HEADERDATA, exchange);
  set(handle, CURLOPT_WRITEFUNCTION, &Exchange::on_body);
  set(handle, CURLOPT_WRITEDATA, exchange);
  set(handle, CURLOPT_ERRORBUFFER, exchange->error);
  set(handle, CURLOPT_HTTPHEADER, exchange->headers.get());
  if (request.method == "HEAD") {
    set(handle, CURLOPT_NOBODY, 1L);
  } else if (request.method == "PUT" || request.method == "POST") {
    // A null pointer would mean that a callback supplies the body.
    set(handle, CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
    set(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  } else {
    set(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

Result<CurlResponse> CurlClient::send(const CurlRequest& request) {
  Exchange exchange{this, &request};
  // Nothing that curl would add by itself: a header that nobody signed may be refused.
  std::vector<std::string> lines = {"Expect:", "Accept:", "User-Agent:"};
  bool has_type = false;
  for (const auto& [name, value] : request.headers) {
    has_type = has_type || lower_case(name) == "content-type";
    std::string line = name;
    line += value.empty() ? ";" : ": ";  // as libcurl wants an empty one
    line += value;
    lines.push_back(std::move(line));
  }
  if (!has_type) lines.emplace_back("Content-Type:");
  for (const std::string& line : lines) {
    curl_slist* longer = curl_slist_append(exchange.headers.get(), line.c_str());
    FIRN_CHECK(longer != nullptr);
    (void)exchange.headers.release();  // NOLINT(bugprone-unused-return-value): it is in `longer`
    exchange.headers.reset(longer);
  }
  exchange.handle = take_handle();
  set_up(exchange.handle, &exchange);
  const CURLcode code = cancelled_ ? CURLE_ABORTED_BY_CALLBACK : curl_easy_perform(exchange.handle);
  long status = 0;
  (void)curl_easy_getinfo(exchange.handle, CURLINFO_RESPONSE_CODE, &status);
  const Status failure = code == CURLE_OK ? Status() : exchange.failure(code);
  give_back(exchange.handle);
  FIRN_TRY(failure);
  exchange.response.status = static_cast<int>(status);
  return std::move(exchange.response);
}

}  // namespace firn
