#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/status.h"
#include "env/env.h"
#include "tier/object/object_store.h"
#include "tier/object/s3_options.h"

namespace firn {

// One operation of the protocol, repeated until it succeeds or there is no point.
struct S3Call {
  std::string method;
  std::string key;  // with the store's prefix; empty for the bucket
  NameValues query = {};
  NameValues headers = {};  // sent and signed
  ByteView body = {};
  char* out = nullptr;  // see CurlRequest
  size_t out_size = 0;
  // Looks at a 2xx answer. kUnavailable and kCorruption lead to another attempt.
  std::function<Status(const CurlResponse&)> accept = {};
  // After a failed attempt that may have worked: whether it has. The call then ends with an empty
  // answer of status 200.
  std::function<bool()> has_happened = {};
  bool once = false;  // a single attempt
};

// Signs, sends, repeats (docs/object-storage.md, "Retries"). Thread rule: any number of threads.
class S3Client {
 public:
  // REQUIRES: validate_s3_options(). `env` must outlive the client.
  S3Client(Env* env, const S3Options& options);

  // A 2xx answer that was accepted. Otherwise: kNotFound for 404, kConflict for 409 and 412,
  // kNoSpace for a quota, kUnsupported for 501, kIoError for other refusals; kUnavailable and
  // kCorruption after the last attempt; kCancelled.
  Result<CurlResponse> call(const S3Call& call);
  // Ends attempts and pauses, with kCancelled.
  void cancel() EXCLUDES(mutex_);
  ObjectStoreStats stats() const;
  // "s3://bucket"
  const std::string& name() const { return name_; }

 private:
  struct Attempt {
    Status status;
    CurlResponse response;
    DurationNs retry_after_ns = 0;
  };
  Attempt attempt(const S3Call& call, const Credentials& credentials);
  Attempt judge(const S3Call& call, CurlResponse response);
  Result<CurlResponse> run(const S3Call& call);
  bool are_fresh(const Credentials& used, Credentials* fresh);
  // False when cancelled meanwhile.
  bool pause(DurationNs duration) EXCLUDES(mutex_);

  Env* const env_;
  const RetryOptions retry_;
  const std::string region_;
  const S3Address address_;
  const std::string name_;
  const std::unique_ptr<CredentialsProvider> credentials_;
  CurlClient curl_;
  std::atomic<uint64_t> requests_ = 0, retries_ = 0, failures_ = 0;
  std::atomic<uint64_t> sent_bytes_ = 0, received_bytes_ = 0;
  Mutex mutex_;
  CondVar wake_;
  bool cancelled_ GUARDED_BY(mutex_) = false;
};

}  // namespace firn
