#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/mutex.h"
#include "base/size.h"
#include "base/status.h"
#include "base/time.h"
#include "tier/object/sigv4.h"

namespace firn {

struct CurlOptions {
  DurationNs connect_time_ns = 10 * kSecondNs;
  // A transfer that is slower than this for so long is given up.
  uint64_t low_speed_bytes = 4 * kKiB;
  DurationNs low_speed_time_ns = 15 * kSecondNs;  // whole seconds
  DurationNs total_time_ns = 5 * kMinuteNs;       // of one exchange
  // Certificates of the authorities to trust, instead of the system's.
  std::string ca_file = {};
  // Only for the metadata service of the machine.
  bool allow_link_local = false;
};

struct CurlRequest {
  std::string method;  // GET, HEAD, PUT, POST, DELETE
  std::string url;     // encoded; http or https
  NameValues headers;
  ByteView body = {};
  // Where the body of a 2xx answer goes, at most `out_size` bytes; null: CurlResponse::body.
  char* out = nullptr;
  size_t out_size = 0;
};

struct CurlResponse {
  int status = 0;
  NameValues headers;  // names in lower case
  std::string body;
  uint64_t received_bytes = 0;  // of the body

  // The first of that name; empty when there is none.
  std::string_view header(std::string_view name) const;
};

// One HTTP exchange with libcurl, over connections that are kept for the next one. Follows no
// redirect, asks no proxy, reads no .netrc; verifies certificates and host names; refuses
// link-local addresses after names were resolved. Thread rule: any number of threads.
class CurlClient {
 public:
  explicit CurlClient(const CurlOptions& options);
  ~CurlClient();
  CurlClient(const CurlClient&) = delete;
  CurlClient& operator=(const CurlClient&) = delete;

  // The answer, whatever its status. kUnavailable: no connection, a lost one, or too slow; the
  // request may have been carried out. kCorruption: the answer is shorter than announced, or longer
  // than asked for. kIoError: the certificate or the address is refused. kCancelled.
  Result<CurlResponse> send(const CurlRequest& request) EXCLUDES(mutex_);
  // Ends exchanges within about a second, and later ones at once.
  void cancel() { cancelled_ = true; }
  bool is_cancelled() const { return cancelled_; }

 private:
  struct Exchange;
  void* take_handle() EXCLUDES(mutex_);
  void give_back(void* handle) EXCLUDES(mutex_);
  void set_up(void* handle, Exchange* exchange) const;

  const CurlOptions options_;
  std::atomic<bool> cancelled_ = false;
  Mutex mutex_;
  std::vector<void*> idle_handles_ GUARDED_BY(mutex_);  // CURL*, which is void
};

}  // namespace firn
