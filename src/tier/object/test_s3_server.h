#pragma once

// For tests: a bucket in memory behind the protocol of S3. It checks signatures, payload hashes and
// conditions strictly, and makes the mistakes that it is told to make.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "env/sim_env.h"
#include "tier/object/s3_options.h"
#include "tier/object/test_http_listener.h"

namespace firn {

enum class S3Fault : uint8_t {
  kInternalError,        // 500, nothing is done
  kSlowDown,             // 503, nothing is done
  kDropRequest,          // the connection is closed, nothing is done
  kDropAnswer,           // it is done, then the connection is closed
  kStallAnswer,          // it is done, and no answer comes
  kErrorAfterDone,       // it is done, and 500 is answered
  kErrorInAnswer,        // 200 with an error document, nothing is done
  kHalfAnswer,           // half of the body, then the connection is closed
  kSlowAnswer,           // 1 KiB a second
  kWrongEtag,            // an entity tag that belongs to nothing
  kDamagedAnswer,        // one bit of the body is flipped
  kDamagedRequest,       // one bit of the body is flipped on its way to the server
  kGarbage,              // 200 with what is no XML
  kNotFound,             // 404 although it is there
  kWholeInsteadOfRange,  // 200 with everything
  kOtherRange,           // 206 with the range behind it
  kRedirect,             // 307 to elsewhere
  kForbidden,            // 403
  kStaleList,            // a list without the object put last
  kEndlessList,          // a list that always says there is more
};

class TestS3Server {
 public:
  // `env` is its clock, and must outlive it.
  explicit TestS3Server(Env* env, bool use_tls = false);

  // Where it is and how to talk to it, with credentials from the environment, short pauses and
  // little patience.
  S3Options options() const;
  // Puts them into the environment.
  static void give_credentials(SimEnv* env, const std::string& secret = "secret-of-the-test");
  static Credentials credentials();
  std::string certificate() const { return listener_.certificate(); }

  // The next `count` requests of this method whose path and query contain `part` go wrong. The
  // first plan that matches is taken.
  void fail(S3Fault fault, const std::string& method, const std::string& part = "",
            uint64_t count = 1) EXCLUDES(mutex_);
  // Every request goes wrong with this chance of 1 in `one_in`, by one of these faults, in an order
  // that the seed decides. 0: none.
  void fail_randomly(std::vector<S3Fault> faults, uint64_t one_in, uint64_t seed) EXCLUDES(mutex_);
  void set_page_size(size_t objects) EXCLUDES(mutex_);
  // Answers If-None-Match with 501, as servers do that do not have it; or ignores it.
  enum class Conditions : uint8_t { kKept, kRefused, kIgnored };
  void set_conditions(Conditions conditions) EXCLUDES(mutex_);
  // Only requests signed with this secret are accepted.
  void set_secret(const std::string& secret) EXCLUDES(mutex_);
  void expect_token(const std::string& token) EXCLUDES(mutex_);

  // Key and content of every object.
  std::map<std::string, std::string> objects() const EXCLUDES(mutex_);
  void put_directly(const std::string& key, const std::string& content) EXCLUDES(mutex_);
  void damage(const std::string& key, size_t byte) EXCLUDES(mutex_);
  size_t unfinished_uploads() const EXCLUDES(mutex_);
  // "PUT /bucket/key?query" of every request, in order of arrival.
  std::vector<std::string> requests() const EXCLUDES(mutex_);
  size_t requests_of(const std::string& method) const EXCLUDES(mutex_);

 private:
  struct Object {
    std::string content;
    std::string etag;
    NameValues metadata;
  };
  struct Upload {
    std::string key;
    NameValues metadata;
    std::map<int, Object> parts;
  };
  struct Plan {
    S3Fault fault;
    std::string method, part;
    uint64_t left;
  };
  using Parameters = std::map<std::string, std::string>;

  TestHttpAnswer handle(const TestHttpRequest& request) EXCLUDES(mutex_);
  std::optional<S3Fault> next_fault(const TestHttpRequest& request) REQUIRES(mutex_);
  std::optional<TestHttpAnswer> fail_before(S3Fault fault) const;
  void fail_after(S3Fault fault, TestHttpAnswer* answer) const;
  std::optional<TestHttpAnswer> check_signature(const TestHttpRequest& request) const
      REQUIRES(mutex_);
  TestHttpAnswer serve(const TestHttpRequest& request, std::optional<S3Fault> fault)
      REQUIRES(mutex_);
  std::optional<TestHttpAnswer> check_conditions(const TestHttpRequest& request,
                                                 const std::string& key) const REQUIRES(mutex_);
  TestHttpAnswer put(const TestHttpRequest& request, const std::string& key,
                     const Parameters& parameters) REQUIRES(mutex_);
  TestHttpAnswer post(const TestHttpRequest& request, const std::string& key,
                      const Parameters& parameters) REQUIRES(mutex_);
  TestHttpAnswer get(const TestHttpRequest& request, const std::string& key,
                     std::optional<S3Fault> fault) const REQUIRES(mutex_);
  TestHttpAnswer remove(const std::string& key, const Parameters& parameters) REQUIRES(mutex_);
  TestHttpAnswer list(const Parameters& parameters, std::optional<S3Fault> fault) const
      REQUIRES(mutex_);
  TestHttpAnswer list_uploads(const Parameters& parameters) const REQUIRES(mutex_);
  void store(const std::string& key, Object object) REQUIRES(mutex_);

  Env* const env_;
  mutable Mutex mutex_;
  std::map<std::string, Object> objects_ GUARDED_BY(mutex_);
  std::map<std::string, Upload> uploads_ GUARDED_BY(mutex_);
  std::vector<Plan> plans_ GUARDED_BY(mutex_);
  std::vector<S3Fault> random_faults_ GUARDED_BY(mutex_);
  uint64_t one_in_ GUARDED_BY(mutex_) = 0, random_ GUARDED_BY(mutex_) = 1;
  std::vector<std::string> log_ GUARDED_BY(mutex_);
  std::string last_put_ GUARDED_BY(mutex_);
  std::string secret_ GUARDED_BY(mutex_) = "secret-of-the-test";
  std::string token_ GUARDED_BY(mutex_);
  size_t page_size_ GUARDED_BY(mutex_) = 1000;
  Conditions conditions_ GUARDED_BY(mutex_) = Conditions::kKept;
  uint64_t next_id_ GUARDED_BY(mutex_) = 1;
  TestHttpListener listener_;  // last: its threads use all of the above
};

}  // namespace firn
