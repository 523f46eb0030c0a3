#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <firn/database.h>
#include <firn/event.h>
#include <firn/status.h>

namespace firn {

// Settings of a durable subscription; what they mean is in docs/subscriptions.md.
struct DurableSettings {
  std::string stream{}, category{};  // one of them, or none for all streams
  uint64_t after = 0;                // messages behind this position
  uint32_t consumers = 1;
  uint32_t in_flight_max = 100;
  uint32_t attempts_max = 10;
  int64_t answer_time_ns = 30'000'000'000;
  int64_t retry_min_ns = 1'000'000'000, retry_max_ns = 300'000'000'000;
};

struct DurableMessage {
  StoredEvent event;
  uint32_t attempt = 1;
};

struct DurableParked {
  uint64_t position = 0;
  uint32_t attempts = 0;
  std::string reason;
  int64_t time_ns = 0;
};

// The durable subscriptions of one namespace of a database. A value; the database must outlive it.
// `member` is from 0 to below the subscription's consumers. Failures: kNotFound for an unknown
// name, kInvalidArgument, else those of reads and appends. Thread rule: every method from any
// thread.
class DurableSubscriptions {
 public:
  DurableSubscriptions(Database* database, std::string name_space)
      : database_(database), name_space_(std::move(name_space)) {}

  // Changes nothing when it exists with the same settings; kConflict when with others.
  Status create(const std::string& name, const DurableSettings& settings);
  Status remove(const std::string& name);
  Result<std::vector<std::string>> list();

  // What is there now, at most `max`; perhaps nothing.
  Result<std::vector<DurableMessage>> receive(const std::string& name, uint32_t max,
                                              uint32_t member = 0);
  // Both wait until it is durable, and tell how many of the messages were given out.
  Result<uint64_t> acknowledge(const std::string& name, std::span<const uint64_t> positions,
                               uint32_t member = 0);
  Result<uint64_t> fail(const std::string& name, std::span<const uint64_t> positions,
                        const std::string& reason, bool park = false, uint32_t member = 0);

  // Oldest first.
  Result<std::vector<DurableParked>> parked(const std::string& name, uint64_t skip = 0,
                                            uint32_t limit = 100, uint32_t member = 0);
  // The oldest parked messages are given out anew, or forgotten. Tell how many.
  Result<uint64_t> replay_parked(const std::string& name, uint64_t limit = UINT64_MAX,
                                 uint32_t member = 0);
  Result<uint64_t> discard_parked(const std::string& name, uint64_t limit = UINT64_MAX,
                                  uint32_t member = 0);

 private:
  Database* database_;
  std::string name_space_;
};

}  // namespace firn
